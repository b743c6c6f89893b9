#!/bin/bash
# Shows that the tests of safety can fail: takes one protection out at a time, in a scratch copy of the tree, and expects the
# named test to fail. Not part of `make test`; a mutation takes 20 to 60 s.
#
#   tests/mutations.sh            all of them
#   tests/mutations.sh NAME …     only these
#   tests/mutations.sh --check    builds nothing: is each protection's text there once, and is there such a test? A part of `make test`
#
# Prints a line for each: what was removed, and the first line of how the test failed.
set -u
cd "$(dirname "$0")/.." || exit 1
check=no
if [ "${1:-}" = --check ]; then
    check=yes
    shift
fi
copy=$(mktemp -d /var/tmp/quorate-mutations.XXXXXX) || exit 1
trap 'rm -rf "$copy"' EXIT
trap 'exit 130' INT TERM
# Dependencies are built once; the scratch copy has a target of its own, so that the tree's stays as it is.
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
export CARGO_TARGET_DIR=${MUTATIONS_TARGET:-$PWD/target/mutations}
failed=0

# judge STATUS LOG TEST… : what the exit status and the output of `cargo test TEST…` show. "ok": a test ran and
# failed. `cargo test` passes, too, where no test has that name, as where a feature is missing.
judge() {
    local status=$1 log=$2
    shift 2
    if grep -q 'left out, it needs root' "$log"; then
        echo "not ok NAME: its tests need root"
    elif grep -q '^error' "$log" && ! grep -q '^running ' "$log"; then
        echo "not ok NAME: it does not compile"
        grep -m 3 -A 5 '^error' "$log"
    elif [ "$status" -eq 124 ]; then
        echo "not ok NAME: the tests did not end in 600 s"
    elif ! grep -q '^running [1-9]' "$log"; then
        echo "not ok NAME: no test of that name: $*"
    elif [ "$status" -eq 0 ]; then
        echo "not ok NAME: the tests pass without it"
    elif ! grep -q '^test result: FAILED' "$log"; then
        # What signals too many processes may end the test itself.
        if grep -q '(signal: ' "$log"; then
            echo "ok NAME: the test itself is ended by $(grep -m 1 -o '(signal: .*' "$log")"
        else
            echo "not ok NAME: no test failed: $(grep -m 1 '^error' "$log")"
        fi
    else
        echo "ok NAME: $(sed '1,/panicked at/d' "$log" | grep -m 1 . | cut -c 1-150)"
    fi
}

# names_a_test TEST… : whether the last word is in a test's name, or names a module or a program of tests.
names_a_test() {
    local word=${*: -1} where=src
    case " $* " in *" -p quorate-lab "*) where=lab/src ;; esac
    if [[ " $* " =~ " --test "([a-z_]+) ]]; then where=tests/${BASH_REMATCH[1]}; fi
    [[ $where/ == *"/$word/" ]] || [ -n "$(find "$where" -path "*${word//:://}*" -print -quit)" ] ||
        grep -rqE "fn [a-z0-9_]*$word" "$where"
}

# mutate NAME FILE FROM TO TEST… : in FILE, FROM (a text that is there once, however its lines are broken)
# becomes TO; `cargo test TEST…` must fail.
mutate() {
    local name=$1 file=$2 from=$3 to=$4 log=$copy/log found verdict
    shift 4
    if [ ${#only[@]} -gt 0 ] && [[ " ${only[*]} " != *" $name "* ]]; then return; fi
    cp "$copy/$file" "$copy/unchanged"
    found=$(FROM=$from TO=$to perl -0pi -e '
        BEGIN { $from = join "\\s+", map { quotemeta } split /\s+/, $ENV{FROM} }
        $n = s/$from/$ENV{TO}/g; END { print STDERR $n || 0 }' "$copy/$file" 2>&1)
    if [ "$found" != 1 ]; then
        verdict="not ok NAME: $file has to contain this once, not $found times: $from"
    elif [ $check = no ]; then
        (cd "$copy" && timeout 600 cargo test --quiet "$@") >"$log" 2>&1
        verdict=$(judge $? "$log" "$@")
    elif names_a_test "$@"; then
        verdict=ok
    else
        verdict="not ok NAME: no test of that name: $*"
    fi
    case $verdict in ok*) ;; *) failed=1 ;; esac
    if [ "$verdict" != ok ]; then echo "${verdict/NAME/$name}"; fi
    cp "$copy/unchanged" "$copy/$file"
}

only=("$@")
for name in "${only[@]}"; do
    if ! grep -q "^mutate $name " tests/mutations.sh; then
        echo "not ok $name: no mutation of that name"
        failed=1
    fi
done

mutate election-position src/decide/election/mod.rs \
    'if order.is_gt() || (order' 'if (order' \
    --test agent a_stale_node_is_not_promoted
mutate election-maxlag src/decide/election/mod.rs '&& bytes > maxlag' '&& false && bytes > maxlag' --lib maxlag_counts
mutate knowledge-after-restart src/decide/memory.rs \
    'self.knowledge = Knowledge::Unproven;' 'self.knowledge = Knowledge::Current;' \
    --test agent maxlag_keeps_a_laggard
mutate probe-after-crash src/decide/monitor.rs \
    '(ProcessSummary::Absent, _) => Finish(O::NotRunning,' '(ProcessSummary::Absent, _) => Finish(O::FailedPromoted,' \
    --test agent a_probe_after_a_crash_is_not_running
mutate frozen-is-failed src/decide/monitor.rs \
    '(ProcessSummary::Alive(RunState::Stopped), _) => {
            Finish(O::Failed,' '(ProcessSummary::Alive(RunState::Stopped), _) => {
            Finish(O::Promoted,' \
    --test agent a_stopped_postmaster_is_noticed
mutate error-is-failed src/decide/monitor.rs \
    '(Occasion::Recurring, Hiccup::Error, LastMonitor::Unanswered, _) if disk.is_fit() =>' '(Occasion::Recurring, Hiccup::Error, LastMonitor::Unanswered, _) if false =>' \
    --lib an_error_of_the_server_fails
mutate error-disk src/decide/monitor.rs 'LastMonitor::Unanswered, _) if disk.is_fit() =>' 'LastMonitor::Unanswered, _) if true || disk.is_fit() =>' \
    --lib an_error_on_a_disk
mutate error-once src/decide/monitor.rs 'Hiccup::Error, LastMonitor::Unanswered, _)' 'Hiccup::Error, _, _)' --lib an_error_of_the_server_fails
mutate error-ours src/decide/server_error.rs '"28" | "3D" | "3F" | "42"' '"28" | "3F" | "42"' --lib a_full_server_and_our_own_mistakes
mutate error-directory src/pg/rejection.rs 'detail.is_some_and(names_directory)' 'false && detail.is_some_and(names_directory)' --lib pg::rejection
mutate stall-once src/decide/monitor.rs '(_, Hiccup::Stall, _, Progress::StandsStill) =>' '(_, Hiccup::Stall, _, _) =>' --lib one_stall_of_a_server
mutate stall-stands-still src/decide/activity.rs 'if ran && disk.returns()' 'if ran || disk.returns()' --lib one_stall_of_a_server
mutate stall-twice src/decide/monitor.rs '(Occasion::Recurring, Hiccup::Stall, LastMonitor::Unanswered, Progress::GoesOn) =>' \
    '(Occasion::Probe, Hiccup::Stall, LastMonitor::Unanswered, Progress::GoesOn) =>' --lib one_stall_of_a_server
mutate damage-hands-over src/decide/storage.rs '(score > lowered).then(||' '(false && score > lowered).then(||' --lib an_error_of_the_server_fails
mutate start-waits-for-disk src/decide/start.rs '| (Disk::Stuck, Time::Left, Occasion::Start) => Ground::TryAgain,' '=> Ground::TryAgain, (Disk::Stuck, Time::Left, Occasion::Start) => Ground::Refuse(String::new()),' \
    --lib a_start_waits_for_a_disk
mutate start-disk-primary src/decide/start.rs 'most.min(NEXT_PRIMARY_WAITS)' 'most' --lib a_start_waits_for_a_disk
mutate archiver-hangs src/decide/stop.rs '(Shutdown::HandedOver(since), Some(most)) if since >= most' '(Shutdown::HandedOver(since), Some(_)) if since < Duration::ZERO' \
    --lib a_hanging_archive_command
mutate archiver-standby src/boundary/node/processes.rs '!title.contains("walsender")' '!title.is_empty()' \
    --test agent a_standby_that_lacks_wal_is_waited_for
mutate restore-hangs src/decide/recovery.rs '(Archive::Asked, Some(command)) if command.age >= patience => Held::LeaveOut,' '' \
    --lib a_restore_command_that_hangs
mutate restore-once src/decide/recovery.rs '(Archive::LeftOut(_), _) | (_, None) => Held::No,' '(_, None) => Held::No, (Archive::LeftOut(_), Some(_)) => Held::LeaveOut,' \
    --lib a_command_that_hangs_is_left_out_once
mutate restore-told-again src/agent/promote.rs 'tell_again = self.archive_holds_up(&mut archive, &facts) == Held::LeaveOut;' 'self.archive_holds_up(&mut archive, &facts);' \
    --lib a_restore_command_that_hangs_after
mutate restore-fails src/agent/start.rs '&& ended_by_archive(&log) =>' '&& false && ended_by_archive(&log) =>' \
    --test agent a_start_leaves_an_archive_out
mutate recovery-gets-on src/decide/start.rs '&& recovery == Progress::GoesOn' '&& false && recovery == Progress::GoesOn' --lib a_recovery_that_gets_on
mutate recovery-stands-still src/decide/start.rs 'if time_over && recovery == Progress::GoesOn' 'if time_over' --lib a_recovery_that_gets_on
mutate recovery-crashed src/decide/facts.rs '(Some(DbState::InCrashRecovery), Signal::Present) => Some(DbState::InArchiveRecovery),' '' \
    --lib a_recovery_that_gets_on
mutate leftovers-are-not-nothing src/decide/monitor.rs \
    '(ProcessSummary::Leftovers, _) => match state {' '(ProcessSummary::Leftovers, _) if matches!(time, Time::Left | Time::Over) => Finish(O::NotRunning, "x"), (ProcessSummary::Leftovers, _) => match state {' \
    --test agent children_without_a_postmaster
mutate stop-kills src/decide/stop.rs '_ if past(kill_at) =>' '_ if false && past(kill_at) =>' --lib decide::stop
mutate stop-kills-the-stopped src/decide/stop.rs \
    'Process::Alive(RunState::Stopped) =>' 'Process::Alive(RunState::Stopped) if past(101) =>' --lib decide::stop
mutate start-is-a-standby src/boundary/node.rs \
    'data_directory::create_signal(files, self.pgdata(), SignalFile::Standby).map_err(host_error)?;' '' \
    --test agent a_fresh_instance_goes_through_its_life
mutate divergence src/decide/follow.rs 'following.or_else(newest)?' 'following.or_else(newest).filter(|_| false)?' \
    --test agent diverged_data_is_refused
mutate own-deadline src/ocf/environment.rs \
    'self.timeout.saturating_sub(margin).max(self.timeout / 2)' 'self.timeout + margin' --test agent crash_recovery_that_hangs
mutate standby-below-primary src/decide/score.rs \
    'Some(Upstream { score: Some(score), .. }) if *score < Score::Standby => ScoreStep::Keep(None),' '' --lib no_standby_rises
mutate ranked-once-settled src/decide/rank.rs 'memory.score == Some(Score::Primary)' 'true' --lib nobody_is_ranked
mutate standby-stops-soon src/decide/stop.rs 'Purpose::StopStandby => (10, 50),' 'Purpose::StopStandby => (60, 80),' \
    --lib a_standby_waits_for_nobody
mutate reset-before-promotion src/cluster/timing/bounds.rs \
    'wait_ms.div_ceil(1000).saturating_add(watchdog_s).saturating_add(MARGIN_S + policy.stopping_s())' 'watchdog_s' --lib timing
mutate far-centre-first src/layout/site.rs 'format!("FIRST 1 ({})", far.chain(near)' 'format!("FIRST 1 ({})", near.chain(far)' \
    --features cli --lib synchronous_standbys_are_the_others
mutate witness-apart src/layout/rules.rs 'if site.nodes.iter().any(|n| n.centre == *centre.get_ref()) {' 'if false {' \
    --features cli --lib every_wrong_description
mutate disk-full src/decide/disk.rs 'Trial::NoSpace => Disk::Full,' 'Trial::NoSpace => Disk::Sound,' \
    --test agent a_full_disk_is_noticed
mutate disk-nearly-full src/decide/disk.rs '_ if *free < FULL => Disk::Full,' '' --lib full_stuck_and_read_only
mutate disk-stuck src/decide/disk.rs 'Trial::Pending(age) if *age >= STUCK_AFTER => Disk::Stuck,' '' \
    --test agent a_stuck_disk_is_noticed
mutate disk-one-trial src/boundary/write_test/child.rs 'libc::dup2(work.lock.as_raw_fd(), 0);' 'libc::dup2(work.null.as_raw_fd(), 0);' \
    --test agent a_stuck_disk_is_noticed
mutate disk-owner-stops src/boundary/write_test/child.rs '&& libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) == 0' \
    '&& libc::syscall(libc::SYS_setresuid, user.uid, user.uid, user.uid) == 0' --test agent the_owner_of_the_data_cannot
mutate disk-root-capabilities src/boundary/write_test/child.rs '&& libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) == 0' '' \
    --test agent the_owner_of_the_data_cannot
mutate disk-stopped src/boundary/write_test.rs \
    'Trial::Untried(format!("the process that writes (pid {pid}) was stopped by a signal {ended}"))' \
    '{ let _ = ended; Trial::Pending(age) }' --lib a_child_that_is_stopped
mutate disk-stopped-other src/boundary/write_test.rs 'pid.filter(same).map_or(' 'pid.map_or(' --lib who_does_not_hold_the_lock
mutate disk-empty-mount src/boundary/write_test.rs 'AMONG_DATA => AMONG.iter()' 'AMONG_DATA => AMONG[..0].iter()' \
    --lib nothing_is_left_in_an_empty_mount_point
mutate helper-reaps src/daemon/helper.rs 'write_test::reap();' '' --features daemon --test helper no_zombies
mutate reset-in-time src/daemon/resetter.rs 'due if due > self.now() =>' 'due if due > 0 =>' --features daemon --lib it_resets_in_time
mutate off-before-sbd src/daemon/resetter.rs 'action == PanicAction::Off && name == SBD' 'name.is_empty() && action == PanicAction::Off' --features daemon --lib has_it_off
mutate thread-lost src/daemon/control.rs 'if let Some(why) = self.threads.lost() {' 'if let Some(why) = self.threads.lost().filter(|_| false) {' \
    --features daemon --lib it_ends_with_the_first_thread
mutate standstill src/decide/standstill.rs '(Maintenance::Off, true) => Some(Act::Fence { why }),' \
    '(Maintenance::Off, true) => Some(Act::Say(LogLevel::Warning, why)),' --lib decide::standstill
mutate disk-wal-apart src/boundary/write_test.rs 'all.extend(apart.then_some(wal));' 'let _ = (apart, wal);' \
    --test agent a_file_system_of_the_wal_alone
mutate disk-standby src/decide/storage.rs 'Disk::Full => Score::StandbyDiskFull,' 'Disk::Full => return usual,' \
    --test agent a_standby_whose_disk
mutate disk-hands-over src/decide/storage.rs '(false, _) => ScoreStep::Set(Score::PrimaryDiskFailing, reason(finding)),' '(false, _) => usual,' \
    --lib gives_way_to_a_standby_that_has_everything
mutate disk-after-crash src/decide/storage.rs '(was_primary && !finding.disk.is_fit())' '(false && was_primary && !finding.disk.is_fit())' \
    --lib a_primary_that_died_of_its_disk
mutate disk-election src/decide/election/mod.rs 'Disk::ReadOnly | Disk::Broken | Disk::Stuck => return Verdict::Refused(Refusal::Disk(c.disk)),' \
    'Disk::ReadOnly | Disk::Broken | Disk::Stuck => {}' --lib nothing_is_promoted_where_it_can_not_write
mutate old-primary-lives src/decide/election/mod.rs '(Some(before), Some(now), _) if election_order(now, before).is_gt() => OldPrimary::Lives' '(Some(before), Some(now), _) if false && election_order(now, before).is_gt() => OldPrimary::Lives' \
    --lib nobody_is_promoted_while_the_old_primary
mutate old-ballots src/decide/election/mod.rs 'facts.earlier.arrived == Arrived::Wal && ballots' 'false && facts.earlier.arrived == Arrived::Wal && ballots' \
    --lib every_combination_of_facts_promotes_only
mutate ballots-unread src/decide/election/mod.rs '(Ballots::Unread(_), Time::Left) => return Verdict::Again(Again::ReadBallots),' '(Ballots::Unread(_), _) => &[],' \
    --lib every_combination_of_facts_promotes_only
mutate election-deadline src/decide/election/mod.rs 'if facts.time == Time::Over {' 'if false {' \
    --lib every_combination_of_facts_promotes_only
mutate election-approval src/decide/election/mod.rs \
    '(Manager::Pacemaker, Approval::NotAsked) if lacks_proof' '(Manager::Nobody, Approval::NotAsked) if lacks_proof' \
    --lib every_combination_of_facts_promotes_only
mutate notice-postgres src/decide/notice.rs 'Postgres::Alive | Postgres::Unknown => false,' 'Postgres::Alive | Postgres::Unknown => true,' \
    --lib a_notice_is_sent_only
mutate notice-instances src/decide/notice.rs 'Verdict::Withhold(Reason::AnotherInstance(resource.clone()))' \
    'Verdict::Send(Terms { within: facts.within, foreign: Some(vec![resource.clone()]) })' --lib a_notice_is_sent_only
mutate scores-stay src/decide/promotion_score.rs 'Score::PrimaryDiskFailing => 150,' 'Score::PrimaryDiskFailing => 99,' --lib the_numbers_stay
mutate disk-blocked src/decide/election/mod.rs 'Knowledge::Current => &[Fitness::NotWritable],' 'Knowledge::Current => &[],' \
    --lib who_is_ahead_on_a_bad_disk
mutate disk-stop src/decide/stop.rs 'sent == Stage::Killed && disk == Disk::Stuck && elapsed >= UNKILLABLE' 'false' \
    --test agent a_stop_on_a_stuck_disk
mutate receiver-stopped src/decide/receiver.rs '[Some(RunState::Stopped), Some(RunState::Stopped)] =>' '[Some(RunState::Stopped), None] =>' \
    --lib a_standby_whose_receiver
mutate probe-scores src/decide/score.rs 'ScoreStep::Set(Score::PrimaryAtProbe,' 'ScoreStep::Set(Score::Primary,' \
    --lib a_probe_gives_the_primary
mutate control-file-checksum src/pg/control_data.rs 'if found != computed {' 'if false && found != computed {' --lib control_data
mutate fence-left src/decide/fence.rs 'else { return Notice::Staying };' 'else { return Notice::Left };' \
    --features fence --test fence a_member_is_not_believed
mutate fence-back-again src/decide/fence.rs 'm.name == target || Some(m.id) == id' 'false' \
    --features fence --test fence a_member_is_not_believed
mutate fence-old src/decide/fence.rs 'now - left.at > FRESH_MS' 'now - left.at > now' \
    --features fence --test fence a_record_that_makes_no_sense
mutate fence-quorum src/decide/fence.rs 'if votes.quorate == Some(true)' 'if votes.quorate.is_some()' \
    --features fence --test fence without_quorum_nothing
mutate fence-quorum-device src/decide/fence.rs 'Some(Some(device)) if !device.votes => Device::Withholds,' '' \
    --features fence --test fence without_quorum_nothing
mutate fence-silence src/fence/confirm.rs 'self.answer = VotequorumAnswer::Silent;' 'self.answer = VotequorumAnswer::Said(fence::Quorum::Held, fence::Device::None, fence::Membership::Gone);' \
    --features fence --test fence a_votequorum_that_hangs
mutate fence-whose-notice src/decide/fence.rs 'notice.node != target' 'false' \
    --features fence --test fence a_record_that_makes_no_sense
mutate fence-tells-itself src/decide/fence.rs 'Some(member) if Some(member.id) == votes.node_id => Membership::Own,' '' \
    --features fence --test fence neither_itself_nor
mutate fence-tells-without-quorum src/decide/fence.rs '(Notice::None, VotequorumAnswer::Said(Quorum::Held, _, Membership::Member), _)' '(Notice::None, VotequorumAnswer::Said(_, _, Membership::Member), _)' \
    --features fence --test fence neither_itself_nor
mutate fence-looks-again src/fence/confirm.rs 'seen.notice == Notice::None && !looked_again' 'false' \
    --features fence --test fence a_notice_that_comes_between
mutate detector-fenced src/decide/detector/detect.rs 'if let Some(by) = &snapshot.request {' 'if let Some(by) = snapshot.request.as_ref().filter(|_| snapshot.cluster.maintenance == Maintenance::Off) {' \
    --lib a_fenced_node_ends
mutate detector-own-stall src/decide/detector/detect.rs 'self.now += snapshot.elapsed.min(self.limits.longest_step);' 'self.now += snapshot.elapsed;' \
    --lib a_moment_in_which_nobody_ran
mutate detector-armed src/decide/detector/watch.rs 'let well = state == RunState::Running && (answered' 'let well = true || (answered' \
    --lib what_was_never_well
mutate detector-orderly src/decide/detector/excuses.rs 'Unit::Changing => true' 'Unit::Changing => false' \
    --lib an_orderly_stop_is_left_alone
mutate detector-unknown-unit src/decide/detector/excuses.rs 'Unit::Active | Unit::Unknown => false' 'Unit::Active => false, Unit::Unknown => true' \
    --lib an_orderly_stop_is_left_alone
mutate detector-off src/decide/detector/excuses.rs 'now.saturating_sub(*since) < STOP_TIME' 'true' \
    --lib what_lives_on_in_a_unit
mutate detector-device src/decide/detector/subjects.rs '!matches!(self, Self::Sbd)' '!matches!(self, Self::Sbd | Self::Qdevice)' \
    --lib a_quorum_device_that_does_not_report
mutate detector-device-forming src/decide/detector/watch.rs 'limits.device.max(explained)' 'limits.device' \
    --lib a_quorum_device_that_does_not_report
mutate detector-device-flag src/daemon/probes.rs 'observations.failed(Subject::Qdevice, "votequorum: it has not reported in its timeout".to_owned())' 'observations.answered(Subject::Qdevice)' \
    --features daemon --lib a_quorum_device_that_votes_no
mutate detector-forming src/decide/detector/watch.rs 'Remedy::Fence => patience.saturating_sub(BEFORE),' 'Remedy::Fence => patience / 2,' \
    --lib a_membership_that_forms_makes
mutate detector-forming-others src/decide/detector/watch.rs '(patience / 2).max(explained.min(patience))' 'patience / 2' \
    --lib a_membership_that_forms_makes
mutate daemon-by-name src/boundary/daemons.rs 'Identity::Other(_) => return Ok(()),' 'Identity::Other(_) => (false, rule.unit.to_owned()),' \
    --features daemon --lib who_only_looks_like_sbd
mutate daemon-user src/decide/detector/identity.rs '(Some(_), User::Root) => false,' '(Some(_), User::Root) => true,' \
    --lib a_process_is_known_by
mutate daemon-unit src/decide/detector/identity.rs 'None => Identity::Other(Mismatch::Unit),' 'None => Identity::Own,' \
    --lib a_process_is_known_by
mutate daemon-set-user-id src/boundary/process.rs 'real == effective && real == saved' 'true' \
    --lib a_process_has_one_user
mutate daemon-upgraded src/boundary/process.rs 'strip_suffix(" (deleted)")' 'strip_suffix(" (gone)")' \
    --features daemon --lib a_daemon_stays_known
mutate daemon-users-unit src/decide/detector/identity.rs '&& !unit.starts_with("user@")' '' \
    --lib the_unit_of_each_hierarchy
mutate daemon-search src/decide/detector/search.rs 'self.wait = self.wait.saturating_mul(2).min(MOST);' '' \
    --lib what_is_never_there
mutate detector-maintenance src/decide/detector/excuses.rs 'if let Some(why) = maintenance::node(snapshot) {' 'if let Some(why) = maintenance::node(snapshot).filter(|_| false) {' \
    --lib maintenance_excuses_everything
mutate detector-quorum src/decide/detector/quorum.rs '(Duty::StopPrimaries | Duty::End, true, _) => {' '(Duty::StopPrimaries | Duty::End, true, _) if !first => vec![], (Duty::StopPrimaries | Duty::End, true, _) => {' \
    --lib without_quorum_no_primary
mutate detector-quorum-once src/decide/detector/quorum.rs 'if now - lost.since < limits.quorum {' 'if false {' \
    --lib a_standby_a_flaw_of_one_look
mutate detector-busy-disk src/decide/detector/storage.rs 'pending.still = now;' '' \
    --lib a_disk_that_is_only_busy
mutate detector-suicide src/decide/detector/quorum.rs 'if duty == Duty::End && ' 'if false && ' \
    --lib where_the_policy_is_to_end
mutate detector-suicide-by-order src/decide/detector/detect.rs 'w.is_armed() && self.excuses.find(self.now, w.rule, snapshot).is_none()' 'w.is_armed()' \
    --lib where_the_policy_is_to_end
mutate detector-stopping src/decide/detector/instances.rs '(Some(id), Phase::Running)' '(Some(id), _)' \
    --lib a_postmaster_that_ended
mutate notice-marker src/agent/mod.rs 'match self.host.resetting() {' 'match None::<String> {' \
    --lib nothing_starts_or_is_promoted
mutate notice-member src/cluster/self_fencing.rs 'if nodes.contains(&self.node_id) {' 'if false {' \
    --lib a_record_of_a_member_is_dropped
mutate notice-other-boot src/cluster/self_fencing.rs 'self.left.is_some() || self.notice.boot != boot' 'self.left.is_some()' \
    --lib a_record_is_of_one_boot
mutate message-seal src/cluster/group.rs 'seal.verify_slice(&tag).map_err(|_| Dropped::Forged)?;' 'let _ = (seal, tag);' \
    --features daemon --lib what_is_not_sealed
mutate message-sender src/cluster/group.rs 'if (sender.node_id, sender.pid) != (node_id, pid) {' 'if false {' \
    --features daemon --lib a_copy_is_dropped
mutate message-boot src/cluster/group.rs 'if heard.retired.contains(&sender.boot) {' 'if false {' \
    --features daemon --lib a_copy_is_dropped
mutate message-number src/cluster/group.rs '} else if number <= heard.number {' '} else if false {' \
    --features daemon --lib a_copy_is_dropped
mutate message-membership src/cluster/group.rs 'if self.ring != Some(ring) && self.before != Some(ring) {' 'if false {' \
    --features daemon --lib what_was_sent_before_a_node_left
mutate message-key src/boundary/group_key.rs 'mode & OTHERS != 0' 'false' \
    --features daemon --lib only_a_key_that_root_alone
mutate request-boot src/decide/self_fence.rs 'Some("it is meant for another boot of this node".to_owned())' 'None' \
    --lib only_what_quorum_and_pacemaker
mutate request-quorum src/decide/self_fence.rs 'Some(format!("the quorum is not known: {why}"))' 'None.filter(|_: &String| why.is_empty())' \
    --lib only_what_quorum_and_pacemaker
mutate request-pending src/decide/self_fence.rs 'Some("Pacemaker has no fencing of this node under way".to_owned())' 'None' \
    --lib only_what_quorum_and_pacemaker
mutate request-history src/cluster/fencing_history.rs '== Some("pending")' '!= Some("failed")' \
    --lib only_what_is_under_way
mutate fence-membership src/decide/fence.rs 'None if record.is_some() && followed != votes.ring => Membership::Unfollowed,' '' \
    --features fence --test fence a_record_of_a_membership
mutate fence-foreign src/decide/fence.rs 'if notice.foreign.as_ref().is_none_or(|resources| !resources.is_empty()) {' 'if false {' \
    --features fence --test fence a_notice_confirms
mutate fence-off src/decide/fence.rs 'if how == How::Off && notice.how == How::Reboot {' 'if false {' \
    --features fence --test fence a_notice_confirms
mutate fence-reset-begun src/decide/fence.rs 'if now < received.saturating_add(notice.within).saturating_add(last) {' 'if now < *received {' \
    --features fence --test fence nothing_is_confirmed_before
mutate promoted-before-told src/agent/promote.rs 'if let Err(error) = self.host.record(PgRole::Primary) {' \
    'if let Err(error) = Ok::<(), crate::boundary::host::HostError>(()) {' \
    --lib quorated_knows_a_primary
mutate reset-asks src/decide/reset/rule.rs 'Others::NoneWell => (Verdict::Hold,' 'Others::NoneWell => (Verdict::Reset,' \
    --lib without_asking_go
mutate reset-first src/decide/reset/claims.rs 'if self.first.is_none_or(|claim| claim.node == from) {' 'if from > 0 {' \
    --lib the_first_intent_counts
mutate reset-second-refused src/daemon/resets.rs '.filter(|first| *first != from)' '.filter(|_| false)' \
    --features daemon --lib an_intent_of_another_one
mutate reset-expires src/decide/reset/claims.rs 'now.saturating_sub(claim.since) < INTENT_MS' 'now >= claim.since' \
    --lib the_first_intent_counts
mutate reset-one-away src/decide/reset/gate.rs 'if let Some(node) = view.away {' 'if let Some(node) = view.away.filter(|_| false) {' \
    --lib of_two_sick_nodes_of_five
mutate reset-quorum src/decide/reset/rule.rs 'self.total.saturating_sub(self.own) >= self.needed' 'self.total >= self.needed' \
    --lib one_sick_node_of_two
mutate reset-answer-is-fresh src/decide/reset/gate.rs 'if answered && in_time && goes_on(call)' 'if answered && goes_on(call)' \
    --lib a_well_one_with_the_instance
mutate reset-instance src/decide/reset/gate.rs '.all(|resource| runs.contains(&resource))' '.all(|resource| runs.contains(&resource) || runs.len() < 9)' \
    --lib who_is_not_well
mutate reset-settled src/decide/reset/gate.rs 'if !view.settled {' 'if false {' --lib without_a_quorum_for_the_others
mutate reset-kills-instead src/decide/detector/detect.rs 'acts.push(Act::Kill { process, why });' 'let _ = (process, why);' \
    --lib a_daemon_is_killed_where
mutate state-is-patient src/decide/detector/storage.rs '(Content::State, None) if still >= limits.state => {' '(Content::State, None) if still > 0 => {' \
    --lib the_state_s_disk_may_hang
mutate maintenance-node src/decide/detector/maintenance.rs '.clone().or_else(of_node)' '.clone().or_else(|| of_node().filter(|_| false))' \
    --lib all_forms_of_maintenance
mutate maintenance-resource src/decide/detector/maintenance.rs 'node(snapshot).or_else(|| of_resource()' 'node(snapshot).or_else(|| of_resource().filter(|_| false)' \
    --lib all_forms_of_maintenance
mutate maintenance-rule src/cluster/cib/management.rs 'if by_rule(name, bad) {' 'if false && by_rule(name, bad) {' --lib a_rule_puts_into
mutate shortage src/decide/detector/watch.rs 'if look.shortage.is_some() {' 'if false {' --lib what_this_machine_lacks
mutate session-search-path src/boundary/postgres/connect.rs '"search_path=pg_catalog,pg_temp".to_owned(),' '"jit=off".to_owned(),' \
    --test boundary_postgres what_a_session
mutate session-read-only src/boundary/postgres/connect.rs 'Mode::ReadOnly => "on"' 'Mode::ReadOnly => "off"' \
    --test boundary_postgres what_a_session
mutate session-role src/boundary/postgres/connect.rs '"role=none".to_owned(),' '"jit=off".to_owned(),' \
    --test boundary_postgres what_a_session
mutate session-libraries src/boundary/postgres/connect.rs '"local_preload_libraries=".to_owned(),' '"jit=off".to_owned(),' \
    --test boundary_postgres what_a_session
mutate probe-qualified src/pg/probe.rs 'pg_catalog.pg_has_role' 'pg_has_role' --test boundary_postgres a_role_that_may_create
mutate answer-limit src/boundary/postgres/connect.rs 'const ANSWER: usize = 1024 * 1024' 'const ANSWER: usize = usize::MAX' \
    --test boundary_postgres never_ends
mutate server-uid src/boundary/postgres/connect.rs '|| server.uid() == 0' '|| true' \
    --test boundary_postgres another_users_server
mutate owned-links src/boundary/owned_files.rs 'if links == Links::Refused { libc::O_NOFOLLOW }' 'if links == Links::Refused { 0 }' \
    --lib nothing_but_regular_files
mutate owned-regular src/boundary/owned_files.rs 'if !meta.is_file() {' 'if false {' --lib nothing_but_regular_files
mutate owned-identity src/boundary/identity.rs 'if before.0 != 0 || uid == 0 {' 'if before.0 != 0 || uid < u32::MAX {' \
    --lib what_the_user_may_not_is_not_done
mutate owned-identity-agent src/boundary/identity.rs 'if before.0 != 0 || uid == 0 {' 'if before.0 != 0 || uid < u32::MAX {' \
    --test agent the_check_of_a_start_is_not_beaten
mutate owned-directory src/boundary/owned_files/directory.rs 'meta.st_uid == 0 && meta.st_mode & 0o022 == 0' 'meta.st_uid == 0' \
    --lib a_directory_is_made_below_roots_own
mutate process-user src/boundary/process.rs '&& user_of(info.id) == Some(uid)' '' --lib nobody_elses_server
mutate process-user-agent src/boundary/process.rs '&& user_of(info.id) == Some(uid)' '' \
    --test agent another_users_process_is_never
mutate signal-user src/boundary/process.rs 'Some(owner) if owner == uid =>' 'Some(owner) if owner == uid || true =>' \
    --lib another_users_process_is_not
mutate directory-as-user src/boundary/command.rs \
    'let directory = directory.as_ref().map(|d| CString::new(d.as_os_str().as_bytes()));' \
    'if let Some(d) = directory { command.current_dir(d); } let directory: Option<Result<CString, NulError>> = None;' \
    --lib a_user_gets_into_no_directory
mutate reason-control src/boundary/printable.rs 'if prints(c) { out.push(c)' 'if true { out.push(c)' \
    --test agent a_reason_shows
mutate reason-one-line src/boundary/printable.rs "matches!(c, '\n' | '\r' | '\t')" "matches!(c, '\t')" --lib one_line_is_one_line
mutate reason-password src/ocf/settings.rs 'Some(masked(value).into_owned())' 'Some(value.to_owned())' --test agent a_reason_shows
mutate reason-password-part src/pg/conninfo.rs 'secret.map_or(error, ConninfoError::AfterSecret)' '{ let _ = &secret; error }' \
    --test agent a_reason_shows
mutate log-password src/pg/server_log.rs 'let line = masked(line);' 'let line = std::borrow::Cow::Borrowed(line);' \
    --lib a_password_in_a_line
mutate conf-password src/pg/conf.rs 'ConfError(masked(content).into_owned())' 'ConfError(content.to_owned())' --lib a_refused_line
mutate overflow-lsn src/decide/start.rs 'control.checkpoint.lsn.0.saturating_add(1)' '(control.checkpoint.lsn.0 + 1)' --lib end_of_all_numbers
mutate overflow-timeout src/ocf/environment.rs '.min(LONGEST)' '' --lib a_number_without_measure
mutate overflow-deadline src/boundary/clock.rs 'now.checked_add(wait).unwrap_or(now + LONGEST)' 'now + wait' --lib shares_and_limits
mutate overflow-certificate src/cluster/corosync/tools.rs 'if !sound {' 'if false {' --lib the_end_of_a_certificate
mutate overflow-failover src/cluster/timing.rs 'self.stonith_watchdog_s.saturating_mul(1000)' '(self.stonith_watchdog_s * 1000)' \
    --lib numbers_without_measure
mutate witness-silence src/cluster/timing.rs 'timeout_at_no_cost_ms(totem.recovery_ms(), qdevice_sync_timeout_ms).max(LEAST_SILENCE_MS)' 'LEAST_SILENCE_MS' \
    --lib the_witness_may_be_silent
mutate witness-late src/cluster/timing/bounds.rs 'unnoticed.min(longest)' 'longest' --lib the_witness_may_be_silent
mutate start-at-boot src/decide/doctor/node.rs '(true, true) | (false, false) => return None' '(_, true) | (false, false) => return None' \
    --workspace --features packaging --test doctor each_change
mutate start-delay src/decide/doctor/watchdog.rs 'reboot.unwrap_or(0)' 'reboot.unwrap_or(3600)' \
    --workspace --features packaging --test doctor each_change
mutate qdevice-heartbeats src/cluster/timing/bounds.rs 'heartbeat.saturating_add(heartbeat / 2)' 'heartbeat' --lib the_witness_may_be_silent
mutate include-files src/boundary/server_conf.rs 'if self.read > MOST_FILES {' 'if false {' --features cli --test doctor an_include_is_no_trap
mutate include-bytes src/boundary/server_conf.rs 'if self.bytes > MOST_BYTES {' 'if false {' --features cli --test doctor an_include_is_no_trap
mutate doctor-role src/decide/doctor/postgresql.rs 'boolean(&at.value) == Some(true)' 'boolean(&at.value) == None' --features cli --test doctor
mutate held-back-based src/decide/detector/detect.rs 'if victim == Some(Subject::Based) && !snapshot.resets.others.is_empty() {' 'if false {' \
    --lib pacemaker_based_is_not_killed
mutate ipc-stranger src/boundary/ipc.rs 'if let Err(why) = is_the_clusters(fd) {' 'if let Some(why) = None::<String> {' \
    --features daemon --lib a_strangers_server
mutate corosync-stranger src/boundary/ipc.rs '    if server == 0 {
        return Ok(());
    }' '    if server < u32::MAX {
        return Ok(());
    }' --features daemon --lib corosyncs_libraries
mutate well-candidate src/decide/detector/observation.rs 'self.score.is_some_and(|score| !score.is_withdrawn())' 'true' --lib can_not_be_promoted
mutate asked-anew src/decide/detector/detect.rs 'suspicious |= snapshot.resets.another_first.is_some();' '' --lib asks_pacemaker_anew
mutate snapshot-numbers src/cluster/group.rs 'heard.number = 0;' 'let _ = heard;' --features daemon --lib a_node_that_left_counts
mutate stop-held-back src/decide/stop.rs 'elapsed >= UNKILLABLE && facts.node_reset == NodeReset::NotHeldBack' 'elapsed >= UNKILLABLE' \
    --lib stuck_disk_is_waited
mutate drill-another-boot src/cluster/watchdog_proof.rs 'if self.boot == boot {' 'if false {' --lib a_reset_is_shown_by_another_boot
mutate drill-by-hand src/cluster/watchdog_proof.rs 'if self.alive_ms > timeout_ms' 'if false && self.alive_ms > timeout_ms' \
    --lib a_reset_is_shown_by_another_boot
mutate drill-another-device src/cluster/watchdog_proof.rs 'if identity != Some(' 'if false && identity != Some(' \
    --lib a_drill_counts_for_its_device_alone
mutate drill-beside-a-cluster src/decide/prove_watchdog.rs 'if !facts.cluster.is_empty() {' 'if false {' \
    --lib nothing_is_reset_that_runs_something
mutate control-file-18 src/pg/control_data.rs '1800 => Some(292)' '1800 => Some(288)' --lib version_18
mutate lock-recycled src/pg/socket_lock.rs 'works_in != own && resolved.is_none_or(|made_for| made_for == works_in)' 'true' \
    --test agent a_lock_whose_pid
mutate refusals-are-no-cause src/pg/server_log.rs 'Weight::Fatal if REFUSALS' 'Weight::Fatal if false && REFUSALS' \
    --test agent the_cause_of_a_failed_start
mutate collectors-log src/boundary/node/server_log.rs 'let Some(directory) = collected_in(&output)' 'let Some(directory) = collected_in("")' \
    --test agent the_cause_is_found_in_the_collectors_log
mutate auto-conf-bytes src/boundary/node/settings.rs 'auto_conf::set(&before,' 'auto_conf::set(String::from_utf8_lossy(&before).as_bytes(),' \
    --test agent the_other_bytes_and_the_mode
mutate mode-of-new src/boundary/owned_files.rs '== 0o750 => 0o640' '== 0o750 => 0o600' --lib a_new_file_is_the_groups
mutate environment-file src/boundary/node/launch.rs 'command = command.env(name, value);' 'let _ = (name, value);' \
    --test agent the_variables_beside
mutate empty-mount-point src/boundary/data_directory.rs 'if files.is_there(&pgdata.join("PG_VERSION"))? {' 'if true {' \
    --test agent an_empty_mount_point
mutate history-of-the-primary src/decide/follow.rs 'Some(reigning) if reigning <= own.timeline => return None,' '' --lib a_history_of_somewhere_else
mutate history-beyond-a-gap src/decide/follow.rs \
    'std::iter::successors(next(&own.timeline), next).last().and_then(of)' 'histories.iter().filter(|h| h.timeline() > own.timeline).max_by_key(|h| h.timeline())' \
    --test agent a_history_of_somewhere_else
mutate other-data-directory src/boundary/node/directory.rs 'if !files.is_same_directory(pgdata, &directory) {' 'if false {' \
    --test agent a_configuration_of_another_data_directory
mutate launched-in-pgdata src/boundary/node/launch.rs '.arg(format!("data_directory={}", self.pgdata().display()))' '.arg("port=5432")' \
    --test agent a_configuration_of_another_data_directory
mutate receiver-trouble src/boundary/node.rs 'receiver_trouble(&self.server_said())' 'receiver_trouble("")' \
    --test agent why_a_standby_does_not_stream
mutate promotion-older src/decide/promotions.rs '        std::cmp::Ordering::Less => Branch::Other(Mismatch::Older { own, last }),' '        std::cmp::Ordering::Less => Branch::Last,' --lib who_is_not_on_the_last
mutate promotion-by-hand src/decide/promotions.rs 'last.node == node && Some(last.timeline) == timeline' 'Some(last.timeline) == timeline || last.node == node' --lib by_hand_is_not_adopted
mutate promotion-branch src/decide/promotions.rs '.filter(|on| !last.descends_from(*on))' '.filter(|_| false)' --lib two_branches_with_one_timeline
mutate promotion-on-record src/agent/promote.rs 'match self.put_on_record(&record, &facts) {' 'match Ok::<_, String>(None) {' --lib agent::tests::record
mutate promotion-timeline-twice src/decide/promotions.rs '=highest).filter(|number| !is_there(*number))' '=highest).filter(|_| false)' --lib no_timeline_is_used_twice
mutate promoted-by-us src/agent/monitor.rs '!self.is_our_primary(&facts)' 'false' --lib agent::tests::record
mutate told-to-promote src/decide/demote.rs 'ServerAnswer::Standby if !told' 'ServerAnswer::Standby' --lib brought_down_by_the_demotion
mutate failed-promotion src/decide/demote.rs '_ => Step::BringDown(None)' '_ => Step::BringDown(Some(LastRole::Primary))' --lib only_who_was_a_primary_is_a_former_one
mutate caught-up src/decide/score.rs 'facts.caught_up == CaughtUp::NotYet' 'false' --lib has_not_caught_up
mutate from-itself src/decide/score.rs 'streams(facts.receiver) && !facts.from_itself' 'streams(facts.receiver)' --lib streams_from_itself
mutate score-sent-again src/decide/kept_score.rs '(Some(score), None) => Step::Resend(score)' '(Some(_), None) => Step::Nothing' --lib kept_score
mutate score-doubted src/decide/kept_score.rs '(Some(_), keepers) => Memory { keepers, score_doubted: Some(now)' '(Some(_), keepers) => Memory { keepers, score_doubted: None' --lib kept_score
mutate ranked-at-once src/decide/rank.rs 'looks.wrong >= LOOKS' 'looks.wrong > 0' --lib decide::rank
mutate ranked-tie src/decide/rank.rs '(is_tied || looks.wrong >= LOOKS)' '(looks.wrong >= LOOKS)' --lib decide::rank
mutate promoted-max src/agent/start.rs 'self.run.notify, self.run.promoted_max)' 'self.run.notify, None)' --lib a_clone_with_two_primaries
mutate second-primary src/decide/promote.rs 'let other = plan.other_primary(node)?;' 'let other = plan.other_primary(node).filter(|_| false)?;' --lib nobody_is_promoted_beside
mutate paused-replay src/decide/score.rs '    if facts.is_paused {' '    if false {' --lib replay_is_paused
mutate vote-waits src/agent/notify.rs '|| waited >= VOTE' '|| true' --lib full_of_clients
mutate vote-by-wal src/agent/notify.rs 'Some(end)' 'None' --lib full_of_clients
mutate wal-end-behind src/pg/wal_end.rs 'last.0.saturating_add(1)' 'last.0' --lib pg::wal_end
mutate age-by-the-set-clock src/cluster/journal.rs 'if !now.boot.is_empty() && ' 'if false && ' --lib a_clock_that_is_set_changes_no_age
mutate present-log src/boundary/node/server_log.rs 'current_log(files, self.pgdata())' 'None::<String>' \
    --test agent the_cause_is_found_in_the_present_file
mutate slow-votequorum src/fence/confirm.rs 'waiting.max(Deadline::after(ANSWER))' 'Deadline::after(ANSWER)' \
    --test fence a_votequorum_that_is_slow_is_waited_for
mutate standstill-at-once src/daemon/standstill.rs 'terms.primaries.iter().for_each(|family| family.kill(list));' '' \
    --lib the_primaries_of_a_node_that_stood_still
mutate standstill-systemd src/daemon/keepalive.rs '        self.systemd.iter().for_each(Watchdog::keep_alive);' '' --lib systemd_hears_of_a_standstill
mutate standstill-others-child src/boundary/process/prepared.rs '&& owner(pid) == Some(self.uid)' '' --lib a_child_of_another_user_is_left_alone
mutate clock-of-all lab/src/faults/clock.rs 'if !others.is_empty() {' 'if false {' -p quorate-lab --lib it_is_seen_by_the_time_and_by_who_has_it
mutate lab-rooms lab/src/host/error.rs 'use std::path::PathBuf;' 'use std::path::PathBuf; use crate::faults::Fault;' \
    --test layers a_room_of_the_laboratory
mutate lab-files lab/src/faults/trace.rs 'pub(super) type Seen =' 'use super::fault::Fault; pub(super) type Seen =' \
    --test layers a_room_of_the_laboratory
mutate lab-checker lab/src/truth/tell.rs 'use crate::record::history::Outcome;' 'use crate::record::history::Outcome; use crate::faults::Loss;' \
    --test layers every_module_keeps_to_its_layer
mutate lab-decides lab/src/host/error.rs 'use std::path::PathBuf;' 'use std::path::PathBuf; use quorate::decide::facts::Facts;' \
    --test layers every_module_keeps_to_its_layer
mutate launched-anew src/decide/promote.rs 'is_busy && waited >= DEAF' 'false' --lib is_launched_anew
mutate voters-too-few src/decide/election/mod.rs 'let level = ballots.iter().filter(|b| !election_order(b.position, own).is_gt());' 'return None; #[allow(unreachable_code)] let level = ballots.iter().filter(|b| !election_order(b.position, own).is_gt());' \
    --lib who_hears_from_too_few
mutate voters-ahead src/decide/election/mod.rs '.filter(|b| !election_order(b.position, own).is_gt())' '.filter(|_| true)' --lib who_hears_from_too_few
mutate voters-weaker-first src/decide/synchronous.rs '&& !(now.implies(recorded) && then.implies(recorded))' '&& false' --lib decide::synchronous
mutate voters-confirmed src/decide/synchronous.rs ' && s.flush >= Some(confirming.until)' '' --lib decide::synchronous
mutate voters-taken-up src/decide/synchronous.rs 'if !is_taken_up(&target, facts.standbys) {' 'if false {' --lib decide::synchronous
mutate voters-quorum src/decide/synchronous/peers.rs '(Some(true), Ok(true)) => Ok(()),' '(Some(_), _) => Ok(()),' --lib agent::tests::synchronous
mutate voters-votequorum src/decide/synchronous/peers.rs '(Some(true), Ok(true)) => Ok(()),' '(Some(true), _) => Ok(()),' --lib decide::synchronous
mutate voters-lost src/agent/synchronous.rs 'if is_settled && is_fresh && leaving.is_empty() {' 'if is_settled && leaving.is_empty() {' --lib put_there_again
mutate voters-promotion src/agent/promote.rs 'self.prepare_synchronous(&record)' 'Ok::<(), crate::boundary::host::HostError>(())' --lib agent::tests::synchronous
mutate safe-mode-is-no-candidate src/decide/score.rs 'Some(Score::SafeMode) if facts.now.saturating_sub(since) <= patience => {' 'Some(Score::SafeMode) if false => {' \
    --lib safe_mode_ends_with_a_primary
mutate safe-mode-ends src/agent/score.rs 'if primary.is_some() {
            self.end_safe_mode();
        }' '' --lib it_is_published_once
mutate refused-again src/decide/score.rs 'memory.refused.is_some_and(|at| facts.now.saturating_sub(at) < REFUSED_REST)' 'false' --lib who_was_refused
mutate refusal-is-written src/agent/promote.rs 'self.memory.score = None;
                    self.memory.refused' 'self.memory.refused' --lib agent::tests::safe_mode
mutate approvals-end src/agent/monitor.rs 'self.end_old_approvals();' '' --lib agent::tests::safe_mode
exit $failed
