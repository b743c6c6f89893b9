//! `report.html`: one page with its style and its plots inside, without scripts; well-formed as XML too.

use std::fmt::Write as _;

use super::markdown::{lost, runs, spread};
use super::published::Published;
use super::statistics::seconds;
use super::summary::{Group, Setup, Summary};
use super::svg::escape;
use super::{date, distribution, timeline};
use crate::record::phases::Step;

const STYLE: &str = include_str!("style.css");
/// So many complaints stand at the top; the others follow at the end.
const COMPLAINTS_AT_THE_TOP: usize = 6;
/// And so much of each.
const LETTERS_AT_THE_TOP: usize = 180;
/// Of more setups a table of columns is no glance.
const COLUMNS: usize = 8;

/// The page.
#[must_use]
pub fn page(summary: &Summary) -> String {
    let mut body = String::new();
    let _ = writeln!(body, "<h1>Failover report</h1>");
    let made = date::minute(summary.made_ms);
    let _ = writeln!(
        body,
        "<p class=\"soft head\">{} · made {made} UTC{}</p>",
        escape(&summary.scope()),
        when(summary)
    );
    verdict(&mut body, summary);
    if !summary.groups.is_empty() {
        glance(&mut body, summary);
        distributions(&mut body, summary);
        table(&mut body, summary);
        timelines(&mut body, summary);
    }
    randoms(&mut body, summary);
    failed(&mut body, summary);
    closing(&mut body, summary);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Failover report: {}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        escape(&summary.scope())
    )
}

/// When the runs were, and how busy the host was.
fn when(summary: &Summary) -> String {
    let mut times: Vec<u64> = summary.runs.iter().filter_map(|r| r.started_ms).collect();
    times.sort_unstable();
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return String::new() };
    let load = |run: &super::results::RunResult| run.load.split(' ').next()?.parse::<f64>().ok();
    let loads: Vec<f64> = summary.runs.iter().filter_map(load).collect();
    let (least, most) =
        (loads.iter().copied().fold(f64::MAX, f64::min), loads.iter().copied().fold(0.0, f64::max));
    let busy = match loads.len() {
        0 => String::new(),
        _ => format!(", host's load at the faults {least:.1} to {most:.1}"),
    };
    let (all, told) = (summary.runs.len(), times.len());
    let of = if told == all { "runs".to_owned() } else { format!("the {told} of {all} runs that say it") };
    format!("<br/>{of}: {} to {} UTC{busy}", date::minute(*first), date::minute(*last))
}

fn verdict(body: &mut String, summary: &Summary) {
    let count = summary.complaints.len();
    let (class, word, words) = match count {
        0 => ("verdict", "PASS", "Nothing to complain of.".to_owned()),
        1 => ("verdict fail", "FAIL", "1 complaint.".to_owned()),
        n => ("verdict fail", "FAIL", format!("{n} complaints.")),
    };
    let _ = writeln!(body, "<div class=\"{class}\"><b>{word}</b><span>{words}</span></div>");
    let totals = &summary.totals;
    body.push_str("<div class=\"tiles\">\n");
    let mut tile = |value: String, name: &str, bad: bool| {
        let class = if bad { "tile bad" } else { "tile" };
        let _ = writeln!(body, "<div class=\"{class}\"><b>{value}</b><span>{name}</span></div>");
    };
    if totals.runs > 0 {
        tile(totals.runs.to_string(), "runs", false);
        tile(totals.failed.to_string(), "runs failed", totals.failed > 0);
        let longest = summary.groups.iter().filter_map(|g| g.outage_ms.as_ref()).map(|s| s.max).max();
        tile(longest.map_or("–".to_owned(), |ms| format!("{} s", seconds(ms))), "longest outage", false);
    }
    if !summary.randoms.is_empty() {
        tile(summary.randoms.len().to_string(), "schedules at random", false);
    }
    tile(grouped(totals.acked), "acknowledged writes", false);
    let forbidden = totals.lost_where_forbidden;
    tile(grouped(forbidden), "lost where that is forbidden", forbidden > 0);
    tile(grouped(totals.lost_where_possible), "lost where it may happen (asynchronous)", false);
    if totals.lost_unknown > 0 {
        tile(totals.lost_unknown.to_string(), "runs with unknown loss", true);
    }
    let two = totals.two_primaries_ms;
    tile(format!("{two} ms"), "two nodes took writes", two > 0);
    body.push_str("</div>\n");
    if count > 0 {
        list(body, summary.complaints.iter().take(COMPLAINTS_AT_THE_TOP).map(|c| shortened(c)));
        if count > COMPLAINTS_AT_THE_TOP {
            let _ =
                writeln!(body, "<p class=\"soft\">{} more at the end.</p>", count - COMPLAINTS_AT_THE_TOP);
        }
    }
}

/// The medians, a column each setup.
fn glance(body: &mut String, summary: &Summary) {
    let mut columns: Vec<(&Setup, &str)> = Vec::new();
    for group in &summary.groups {
        if !columns.iter().any(|(setup, _)| **setup == group.setup) {
            columns.push((&group.setup, &group.setup_label));
        }
    }
    if columns.len() > COLUMNS {
        return;
    }
    columns.sort_by(|a, b| a.0.rank().cmp(&b.0.rank()));
    body.push_str(
        "<h2>At a glance</h2>\n<p class=\"soft\">The median outage in seconds, from the fault on the primary to the first write that stays \
         good; small: Tuchanka's published mean.</p>\n<div class=\"scroll\"><table class=\"glance\">\n<thead><tr><th>fault</th>",
    );
    for (_, label) in &columns {
        let _ = write!(body, "<th class=\"n\">{}</th>", escape(label));
    }
    body.push_str("</tr></thead>\n<tbody>\n");
    for groups in summary.groups.chunk_by(|a, b| a.fault_label == b.fault_label) {
        let _ = write!(body, "<tr><th>{}</th>", escape(&groups[0].fault_label));
        for (setup, _) in &columns {
            let Some(group) = groups.iter().find(|g| g.setup == **setup) else {
                body.push_str("<td></td>");
                continue;
            };
            let median = match &group.outage_ms {
                Some(statistics) if statistics.median == 0 => "none".to_owned(),
                Some(statistics) => seconds(statistics.median),
                None => "–".to_owned(),
            };
            let theirs = group.published.map_or(String::new(), |p| match p {
                Published::Noticed { mean_s, .. } => format!("<small>{mean_s}</small>"),
                Published::NeverNoticed => "<small>never</small>".to_owned(),
            });
            let class = if group.never > 0 { "n main bad" } else { "n main" };
            let never = if group.never > 0 {
                format!("<small>{}× not restored</small>", group.never)
            } else {
                String::new()
            };
            let _ = write!(body, "<td class=\"{class}\">{median}{theirs}{never}</td>");
        }
        body.push_str("</tr>\n");
    }
    body.push_str("</tbody></table></div>\n");
}

fn distributions(body: &mut String, summary: &Summary) {
    body.push_str(
        "<h2>Outage per fault and layout</h2>\n<p>From the fault to the first write through the primary's float IP that stays good. \
         The scale is the same in all panels, and logarithmic. On the right the median and, in brackets, the runs.</p>\n<ul class=\"key\">\n",
    );
    let mut key = |shape: &str, words: &str| {
        let _ =
            writeln!(body, "<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\">{shape}</svg>{words}</li>");
    };
    let agents = |quorate: bool| summary.groups.iter().any(|g| (g.setup.agent == "quorate") == quorate);
    for (class, name, there) in [("ours", "quorate", agents(true)), ("other", "another agent", agents(false))]
    {
        if there {
            key(
                &format!("<circle class=\"dot {class}\" cx=\"13\" cy=\"7\" r=\"4\"/>"),
                &format!("a run, {name}"),
            );
        }
    }
    key("<rect class=\"median ours\" x=\"12\" y=\"0\" width=\"2.4\" height=\"14\"/>", "median");
    key(
        "<rect class=\"box ours\" x=\"2\" y=\"2\" width=\"22\" height=\"10\"/>",
        "the middle half of the runs",
    );
    if summary.groups.iter().any(|g| g.never > 0) {
        key("<rect class=\"never\" x=\"9\" y=\"3\" width=\"8\" height=\"8\"/>", "writes did not come back");
    }
    if summary.groups.iter().any(|g| g.published.is_some()) {
        key(
            "<line class=\"theirs\" x1=\"0\" y1=\"7\" x2=\"26\" y2=\"7\"/><polygon class=\"theirs\" points=\"7,7 13,1 19,7 13,13\"/>",
            "Tuchanka, published mean ± standard deviation (other hardware, a random node; see the end)",
        );
    }
    body.push_str("</ul>\n");
    figures(body, distribution::panels(summary));
}

fn figures(body: &mut String, panels: Vec<(String, String)>) {
    for (name, svg) in panels {
        let _ = writeln!(body, "<figure><h3>{}</h3>\n{svg}</figure>", escape(&name));
    }
}

fn table(body: &mut String, summary: &Summary) {
    body.push_str(
        "<h2>The figures</h2>\n<p class=\"soft\">Seconds. Statistics are of the runs in which the writes came back; std-dev is that of the \
         sample.</p>\n<div class=\"scroll\"><table>\n<thead><tr><th>fault, layout</th><th class=\"n\">runs</th><th class=\"n\">median</th>\
         <th class=\"n\">mean</th><th class=\"n\">std-dev</th><th class=\"n\">min</th><th class=\"n\">max</th><th>Tuchanka<br/>mean ± sd (runs)</th>\
         <th class=\"n\">lost<br/>acked</th><th class=\"n\">two<br/>primaries</th><th>old primary</th></tr></thead>\n",
    );
    for groups in summary.groups.chunk_by(|a, b| a.fault_label == b.fault_label) {
        // Over its rows and not beside them: the table is wide enough.
        let fault = escape(&groups[0].fault_label);
        let _ = writeln!(body, "<tbody>\n<tr class=\"fault\"><th colspan=\"11\">{fault}</th></tr>");
        for group in groups {
            body.push_str("<tr>");
            row(body, group);
            body.push_str("</tr>\n");
        }
        body.push_str("</tbody>\n");
    }
    body.push_str("</table></div>\n");
}

fn row(body: &mut String, group: &Group) {
    let mut cell = |class: &str, text: &str| {
        let _ = write!(body, "<td class=\"{class}\">{}</td>", escape(text));
    };
    cell("label", &group.setup_label);
    cell(if group.failed > 0 { "n runs bad" } else { "n runs" }, &runs(group));
    for (index, figure) in spread(group).iter().enumerate() {
        cell(if index == 0 { "n main" } else { "n" }, figure);
    }
    cell("theirs", &group.published.map_or("–".to_owned(), |p| p.to_string()));
    cell("n lost", &lost(group));
    let two = group.two_primaries_ms;
    cell(if two > 0 { "n bad" } else { "n" }, &format!("{two} ms"));
    cell("fates", &group.fates);
}

fn timelines(body: &mut String, summary: &Summary) {
    let panels = timeline::panels(summary);
    if panels.is_empty() {
        return;
    }
    body.push_str(
        "<h2>What each failover spent its time on</h2>\n<p>One bar a failover, from the fault on; the axis is the same in all panels. On the \
         right the outage. Moments are from the journals of the nodes and from the client; one that no line tells of is not drawn, and its time \
         belongs to the next part: that of restarting a crashed server, and of demoting the old primary by order, is in <i>decision</i>.</p>\n<ul class=\"key\">\n",
    );
    for step in Step::ALL {
        let _ = writeln!(
            body,
            "<li><i class=\"{}\"></i><b>{}</b> until {}</li>",
            timeline::colour(step),
            step.name(),
            escape(step.ends_when())
        );
    }
    body.push_str(
        "<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\"><polygon class=\"down\" points=\"8,3 18,3 13,12\"/></svg>a node that was hit lost \
         its power</li>\n<li><svg viewBox=\"0 0 26 14\" aria-hidden=\"true\"><rect class=\"silent\" x=\"1\" y=\"6\" width=\"24\" height=\"2\"/></svg>no \
         good write</li>\n</ul>\n",
    );
    figures(body, panels);
}

fn randoms(body: &mut String, summary: &Summary) {
    if summary.randoms.is_empty() {
        return;
    }
    body.push_str(
        "<h2>At random</h2>\n<p class=\"soft\">Two faults at a time, then peace, again and again; in the end everything is read back.</p>\n\
         <div class=\"scroll\"><table>\n<thead><tr><th>layout</th><th>agent</th><th class=\"n\">seed</th><th class=\"n\">rounds</th>\
         <th class=\"n\">acknowledged</th><th class=\"n\">lost</th><th class=\"n\">unanswered<br/>and there</th><th class=\"n\">longest<br/>pause, s</th>\
         <th>findings</th></tr></thead>\n<tbody>\n",
    );
    for random in &summary.randoms {
        let findings: Vec<String> =
            random.findings.iter().map(|f| format!("{}: {}", f.instance, f.finding)).collect();
        let _ = writeln!(
            body,
            "<tr><th>{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td class=\"n main\">{}</td><td>{}</td></tr>",
            escape(&random.layout),
            escape(&random.agent),
            random.seed,
            random.rounds.len(),
            grouped(random.acked),
            random.lost_acked,
            random.recovered,
            seconds(random.longest_pause_ms),
            escape(&findings.join("; "))
        );
    }
    body.push_str("</tbody></table></div>\n");
}

fn failed(body: &mut String, summary: &Summary) {
    let long = |text: &String| text.chars().count() > LETTERS_AT_THE_TOP;
    if summary.complaints.len() > COMPLAINTS_AT_THE_TOP || summary.complaints.iter().any(long) {
        body.push_str("<h2>All complaints</h2>\n");
        list(body, summary.complaints.iter().cloned());
    }
}

/// A complaint can hold all that a client said.
fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(LETTERS_AT_THE_TOP).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn list(body: &mut String, lines: impl Iterator<Item = String>) {
    body.push_str("<ul>\n");
    for line in lines {
        let _ = writeln!(body, "<li>{}</li>", escape(&line));
    }
    body.push_str("</ul>\n");
}

fn closing(body: &mut String, summary: &Summary) {
    let _ = writeln!(
        body,
        "<h2>What can be compared</h2>\n<p>{}</p>\n<p class=\"soft\">Source: {}.</p>",
        escape(summary.comparable),
        escape(summary.published_source)
    );
    body.push_str("<h2>Read from</h2>\n<ul>\n");
    for file in &summary.files {
        let _ = writeln!(body, "<li><code>{}</code></li>", escape(file));
    }
    body.push_str("</ul>\n");
}

/// With a thin space between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}
