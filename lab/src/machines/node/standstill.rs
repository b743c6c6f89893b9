//! A node whose processes stand still: a whole system that hangs, or a virtual machine that is paused.

use std::sync::Arc;
use std::time::Duration;

use super::{Node, lock};
use crate::host::error::{LabError, Result};
use crate::host::run;
use crate::machines::protocol::{Activity, Happening};
use crate::machines::watchdog::Device;

/// All processes stand still within this time, also on a busy host: a pause that is none would measure nothing.
const STILL: Duration = Duration::from_secs(5);

impl Node {
    /// Stops all processes; the watchdogs' clocks go on.
    pub fn freeze(&self) -> Result<()> {
        let machine = lock(&self.machine);
        if machine.is_none() {
            return Err(LabError::PoweredOff(self.plan.name.clone()));
        }
        self.groups.freeze()?;
        lock(&self.view).activity = Activity::Frozen;
        self.journal.note(&self.plan.name, Happening::Frozen);
        Ok(())
    }

    /// Lets all processes go on.
    pub fn thaw(&self) -> Result<()> {
        let machine = lock(&self.machine);
        if machine.is_none() {
            return Err(LabError::PoweredOff(self.plan.name.clone()));
        }
        self.go_on()
    }

    /// Stops all processes and the watchdogs' clocks, as a hypervisor pauses a machine with its emulated devices, and lets
    /// them go on after this time. Answers as soon as the machine stands still.
    pub fn pause(self: &Arc<Self>, time: Duration) -> Result<()> {
        let machine = lock(&self.machine);
        let Some(boot) = machine.as_ref().map(|m| m.boot) else {
            return Err(LabError::PoweredOff(self.plan.name.clone()));
        };
        self.devices.get().into_iter().flatten().for_each(Device::suspend);
        if let Err(e) = self.groups.freeze_fully(STILL) {
            return Err(self.go_on().err().unwrap_or(e));
        }
        lock(&self.view).activity = Activity::Frozen;
        self.journal.note(&self.plan.name, Happening::Paused);
        let node = Arc::clone(self);
        std::thread::spawn(move || {
            run::nap(time);
            let machine = lock(&node.machine);
            // Reset, or thawed by hand meanwhile: that is another pause, or none.
            if machine.as_ref().is_some_and(|m| m.boot == boot)
                && lock(&node.view).activity == Activity::Frozen
                && let Err(e) = node.go_on()
            {
                eprintln!("{}: end of its pause: {e}", node.name());
            }
        });
        Ok(())
    }

    fn go_on(&self) -> Result<()> {
        // Noted first: what is answered afterwards was done after the pause.
        self.journal.note(&self.plan.name, Happening::Thawed);
        self.groups.thaw()?;
        self.devices.get().into_iter().flatten().for_each(Device::resume);
        lock(&self.view).activity = Activity::Running;
        Ok(())
    }
}
