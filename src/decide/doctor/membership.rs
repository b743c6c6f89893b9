//! corosync's own times.

use super::facts::Facts;
use super::rule::{Finding, Outcome};
use crate::cluster::timing::{LEAST_TOKEN_MS, least_token_ms};

/// A cluster of fewer nodes than that needs no agreement of several.
const FEWEST_WITH_CONSENSUS: u32 = 3;

pub(super) fn token(facts: &Facts) -> Outcome {
    let token = &facts.corosync.as_ref()?.token;
    // Without the round trip the half of the rule that needs none is still checked.
    let (least, reason) = match &facts.surroundings.rtt_ms {
        _ if token.value < LEAST_TOKEN_MS => (LEAST_TOKEN_MS, "1 s".to_owned()),
        Err(why) => return Err(why.into()),
        Ok(rtt) => (least_token_ms(*rtt), format!("five round trips of {rtt} ms")),
    };
    if token.value >= least {
        return Ok(Vec::new());
    }
    Ok(vec![Finding::new(
        &token.place,
        format!("token is {} ms, below {reason}", token.value),
        format!("pcs cluster config update totem token={least}"),
    )])
}

pub(super) fn consensus(facts: &Facts) -> Outcome {
    let corosync = facts.corosync.as_ref()?;
    let totem = corosync.totem();
    let least = totem.own_consensus_ms();
    match &corosync.consensus {
        Some(set) if totem.nodes >= FEWEST_WITH_CONSENSUS && set.value < least => Ok(vec![Finding::new(
            &set.place,
            format!(
                "consensus is {} ms, the token that {} nodes use is {} ms: at least {least}",
                set.value,
                totem.nodes,
                totem.effective_token_ms()
            ),
            "pcs cluster config update totem consensus=    (nothing after the sign: corosync computes it)",
        )]),
        _ => Ok(Vec::new()),
    }
}
