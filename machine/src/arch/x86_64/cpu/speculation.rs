//! The running CPU's part in the measures against speculation.

use super::super::mitigate::{self, xpti};
use super::super::shortcut;
use super::Cpu;
use crate::measures::Measures;
use crate::pv::PvState;

impl Cpu {
    /// What is done against speculation from now on.
    pub(in super::super) fn note_measures(&mut self, measures: &Measures) {
        self.measures = *measures;
        self.shortcuts = shortcut::possible(measures);
    }

    /// Goes on to another vCPU than the last one.
    #[cold]
    pub(super) fn switch(&mut self, state: &PvState) {
        self.last = state.number;
        mitigate::on_switch(&self.measures);
        self.shadowed = match state.control {
            true => self.measures.xpti_control,
            false => self.measures.xpti_others,
        };
        let area = self.area_mut();
        (area.guest_cr3, area.host_cr3) = (0, 0);
    }

    /// Has the guest run on this CPU's copy of its root table.
    #[inline]
    pub(super) fn set_shadow(&mut self, root: u64) {
        let table = xpti::select(self.id, root);
        let area = self.area_mut();
        (area.guest_cr3, area.host_cr3) = (table, root);
    }
}
