//! What a demotion does with the instance that it finds.

use super::facts::{Facts, ServerAnswer};
use super::memory::LastRole;
use super::start::last_role;
use super::stop::Planned;
use crate::pg::role::PgRole;

/// The first step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A standby runs already.
    Nothing,
    /// Bring it down. It leaves a former primary, or what it was before: Pacemaker demotes also after a promotion that failed, and a
    /// standby that was killed just before has not become one.
    BringDown(Option<LastRole>),
}

/// Decides on a look and on the role that the agent last recorded outside PGDATA.
pub fn decide(facts: &Facts, recorded: Option<PgRole>) -> Step {
    // One that was told to promote becomes a primary as soon as it has replayed what it has.
    let told = recorded == Some(PgRole::Primary);
    match facts.server_answer() {
        ServerAnswer::Standby if !told => Step::Nothing,
        ServerAnswer::Primary => Step::BringDown(Some(LastRole::Primary)),
        _ if told || last_role(facts) == LastRole::Primary => Step::BringDown(Some(LastRole::Primary)),
        _ => Step::BringDown(None),
    }
}

/// What follows when it has been brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Afterwards {
    StartStandby,
    /// Pacemaker stops it next. A standby that is started in between only costs time.
    Nothing,
}

pub const fn afterwards(planned: Planned) -> Afterwards {
    match planned {
        Planned::Stop => Afterwards::Nothing,
        Planned::Start | Planned::Neither => Afterwards::StartStandby,
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Control, Process, Signal};
    use super::*;
    use crate::decide::samples::{control, idle_standby, position};
    use crate::pg::control_data::DbState;

    fn dead(state: Option<DbState>, signal: Signal) -> Facts {
        let control = state.map_or(Control::Unknown("damaged".into()), |state| {
            Control::Known(control(state, position(1, 0x100)))
        });
        Facts { process: Process::Absent, answer: None, control, signal }
    }

    #[test]
    fn only_who_was_a_primary_is_a_former_one() {
        let primary = Step::BringDown(Some(LastRole::Primary));
        let other = Step::BringDown(None);
        let rows = [
            (Some(DbState::InProduction), Signal::Missing, None, primary),
            (Some(DbState::ShutDown), Signal::Missing, Some(PgRole::Standby), primary),
            (Some(DbState::InArchiveRecovery), Signal::Present, Some(PgRole::Standby), other),
            (Some(DbState::ShutDownInRecovery), Signal::Present, None, other),
            (Some(DbState::InArchiveRecovery), Signal::Present, Some(PgRole::Primary), primary),
            (None, Signal::Missing, Some(PgRole::Primary), primary),
            (None, Signal::Missing, None, other),
        ];
        for (state, signal, recorded, expected) in rows {
            assert_eq!(decide(&dead(state, signal), recorded), expected, "{state:?} {signal:?} {recorded:?}");
        }
    }

    #[test]
    fn a_standby_that_runs_is_left_alone_unless_it_was_told_to_promote() {
        let facts =
            Facts { answer: Some(idle_standby()), ..dead(Some(DbState::InArchiveRecovery), Signal::Present) };
        assert_eq!(decide(&facts, None), Step::Nothing);
        assert_eq!(decide(&facts, Some(PgRole::Standby)), Step::Nothing);
        assert_eq!(decide(&facts, Some(PgRole::Primary)), Step::BringDown(Some(LastRole::Primary)));
    }

    #[test]
    fn no_standby_is_started_where_a_stop_follows() {
        for planned in [Planned::Start, Planned::Stop, Planned::Neither] {
            assert_eq!(
                afterwards(planned) == Afterwards::StartStandby,
                planned != Planned::Stop,
                "{planned:?}"
            );
        }
    }
}
