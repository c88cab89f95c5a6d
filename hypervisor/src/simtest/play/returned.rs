//! What is looked at when a guest's call has returned.

use super::Play;
use crate::simtest::layout::*;
use crate::simtest::script::Who;
use core::sync::atomic::Ordering;
use machine::Mfn;
use machine::arch::sim::GuestCpu;
use xen_abi::{hypercall as nr, memory};

impl Play {
    /// Notes what a vCPU's call answered, and that it may. Panics where it may not.
    pub(super) fn returned(&mut self, g: &GuestCpu<'_>, who: Who) {
        let Some((nr, op, tag)) = self.tracks[who.index()].pending.take() else {
            return;
        };
        if g.regs.r15 != tag {
            return self.forget_call(who);
        }
        self.alarm_answered(who, Some(nr.into()), g.regs.rax as i64);
        self.reach.answered(nr, op, g.regs.rax as i64);
        let rax = g.regs.rax;
        self.trace
            .note(|| alloc::format!("{}.{} = {rax:#x}", who.slot, who.vcpu));
        self.sum = super::mixed(self.sum, g.regs.rax);
        let value = g.regs.rax as i64;
        let control = [nr::DOMCTL, nr::SYSCTL, nr::PLATFORM_OP].map(|nr| nr as u16);
        assert!(
            who.slot == 0 || value < 0 || !control.contains(&nr),
            "domain {} made call {nr}.{op} for the control domain alone",
            who.slot
        );
        let fills = [
            memory::XENMEM_populate_physmap,
            memory::XENMEM_increase_reservation,
        ];
        if nr == nr::MEMORY_OP as u16 && fills.contains(&op) && value > 0 {
            self.check_clean(g, who, value as u64);
        }
        if who.slot == 1 {
            self.see(g.regs.rax);
            for i in 0..8 {
                self.see(g.read(args(who.vcpu) + 8 * i, 8).unwrap_or(!0));
            }
        }
    }

    /// Memory that a domain has just got, which no vCPU of it knows yet, is clear.
    fn check_clean(&self, g: &GuestCpu<'_>, who: Who, count: u64) {
        for i in 0..count.min(4) {
            let Ok(mfn) = g.read(args(who.vcpu) + 2048 + 8 * i, 8) else {
                return;
            };
            let page = self.hv.mem.get_page(Mfn(mfn), who.slot.into());
            let known = self.frames[usize::from(who.slot)].contains(&mfn);
            let Some(page) = page.filter(|_| !known) else {
                continue;
            };
            let mut words = page.words().iter().enumerate();
            let old = words.find(|(_, word)| word.load(Ordering::Relaxed) != 0);
            assert!(
                old.is_none(),
                "frame {mfn:#x} came to domain {} with old data: {old:x?}",
                who.slot
            );
        }
    }
}
