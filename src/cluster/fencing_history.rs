//! Pacemaker's fencing history, as `stonith_admin --history NODE --output-as=xml` prints it.

use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use super::calendar;

/// Why it can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the fencing history can't be read: {0}")]
pub struct HistoryError(String);

/// Whether a fencing of `node` is under way, that is to say asked for by some member and neither done nor failed.
///
/// # Errors
/// It is not what stonith_admin prints.
pub fn is_pending(xml: &str, node: &str) -> Result<bool, HistoryError> {
    let broken = |what: String| HistoryError(what);
    let mut reader = Reader::from_str(xml);
    let (mut is_a_result, mut pending) = (false, false);
    loop {
        match reader.read_event().map_err(|e| broken(e.to_string()))? {
            Event::Start(element) | Event::Empty(element) => match element.name().as_ref() {
                "pacemaker-result" => is_a_result = true,
                "fence_event" => {
                    let get = |name| attribute(&element, name);
                    // A node that is switched on is not fenced.
                    pending |= get("target")?.as_deref() == Some(node)
                        && get("status")?.as_deref() == Some("pending")
                        && get("action")?.as_deref() != Some("on");
                }
                _ => {}
            },
            Event::Eof if is_a_result => return Ok(pending),
            Event::Eof => return Err(broken("there is no <pacemaker-result>".to_owned())),
            _ => {}
        }
    }
}

/// The last one of `node` that succeeded since a time (`2026-11-29 12:00:00`, UTC): the program that asked for it, and when it was done,
/// as it is written down: in the zone of the node that was asked, with the offset.
///
/// # Errors
/// It is not what stonith_admin prints.
pub fn last_success(xml: &str, node: &str, since: &str) -> Result<Option<(String, String)>, HistoryError> {
    let broken = |what: String| HistoryError(what);
    let mut reader = Reader::from_str(xml);
    let since = calendar::seconds(since);
    let mut last: Option<(i64, (String, String))> = None;
    loop {
        match reader.read_event().map_err(|e| broken(e.to_string()))? {
            Event::Start(element) | Event::Empty(element) if element.name().as_ref() == "fence_event" => {
                let get = |name| attribute(&element, name);
                let is_its = get("target")?.as_deref() == Some(node)
                    && get("status")?.as_deref() == Some("success")
                    && get("action")?.as_deref() != Some("on");
                let (Some(client), Some(done)) = (get("client")?, get("completed")?) else { continue };
                let Some(at) = calendar::seconds(&done) else { continue };
                let is_recent = since.is_some_and(|since| at >= since);
                if is_its && is_recent && last.as_ref().is_none_or(|(before, _)| *before < at) {
                    last = Some((at, (client, done)));
                }
            }
            Event::Eof => return Ok(last.map(|(_, fencing)| fencing)),
            _ => {}
        }
    }
}

fn attribute(element: &BytesStart<'_>, name: &str) -> Result<Option<String>, HistoryError> {
    let broken = |e: &dyn std::fmt::Display| HistoryError(e.to_string());
    let found = element.try_get_attribute(name).map_err(|e| broken(&e))?;
    let value = found.map(|a| a.normalized_value(XmlVersion::Implicit1_0).map_err(|e| broken(&e)));
    Ok(value.transpose()?.map(std::borrow::Cow::into_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PENDING: &str = r#"<pacemaker-result api-version="2.25" request="stonith_admin --history srv1 --output-as=xml">
  <fence_event action="reboot" target="srv1" client="stonith_admin.2041" origin="srv2" status="pending" extended-status="1"/>
  <fence_event action="reboot" target="srv1" client="stonith_admin.1" origin="srv2" status="success" completed="2026-11-28 10:00:00Z"/>
  <status code="0" message="OK"/>
</pacemaker-result>"#;

    #[test]
    fn only_what_is_under_way_and_concerns_the_node_is_pending() {
        assert_eq!(is_pending(PENDING, "srv1"), Ok(true));
        assert_eq!(is_pending(PENDING, "srv2"), Ok(false));
        for other in ["success", "failed"] {
            assert_eq!(
                is_pending(&PENDING.replace("\"pending\"", &format!("\"{other}\"")), "srv1"),
                Ok(false)
            );
        }
        assert_eq!(is_pending(&PENDING.replace("\"reboot\"", "\"off\""), "srv1"), Ok(true));
        assert_eq!(is_pending(&PENDING.replace("\"reboot\"", "\"on\""), "srv1"), Ok(false));
        let since = "2026-11-28 09:58:00 UTC";
        let last = last_success(PENDING, "srv1", since);
        assert_eq!(last, Ok(Some(("stonith_admin.1".into(), "2026-11-28 10:00:00Z".into()))));
        assert_eq!(last_success(PENDING, "srv1", "2026-11-28 10:00:01 UTC"), Ok(None));
        // The same moment, of a node that is not in UTC.
        for local in ["2026-11-28 05:00:00 -05:00", "2026-11-28 11:00:00 +01:00"] {
            let history = PENDING.replace("2026-11-28 10:00:00Z", local);
            let last = last_success(&history, "srv1", since);
            assert_eq!(last, Ok(Some(("stonith_admin.1".into(), local.into()))));
            assert_eq!(last_success(&history, "srv1", "2026-11-28 10:00:01 UTC"), Ok(None), "{local}");
        }
        assert_eq!(last_success(PENDING, "srv2", since), Ok(None));
        for broken in ["", "Connection refused", "<pacemaker-result><fence_event", "<a/>"] {
            assert!(is_pending(broken, "srv1").is_err(), "{broken}");
        }
    }
}
