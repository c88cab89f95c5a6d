//! What every handler is given: this CPU, the hypervisor, and the vCPU that called.

use crate::domain::{Domain, Vcpu, VcpuState};
use crate::fail::Fail;
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use machine::{Cpu, CpuApi, GuestRegs};
use xen_abi::compat::Width;

/// The context of one exit.
pub struct Cx<'a> {
    /// The CPU this runs on.
    pub cpu: &'a mut Cpu,
    /// All that is shared.
    pub hv: &'a Hypervisor,
    /// The domain of the vCPU that is loaded.
    pub dom: &'a Arc<Domain>,
    /// The vCPU that is loaded.
    pub vcpu: &'a Arc<Vcpu>,
    /// Its state, leased to this CPU.
    pub st: &'a mut VcpuState,
    /// Whether it goes on running; cleared by whatever blocks, yields or kills it.
    pub live: bool,
    /// The width of the code whose call is served: what its pointers and structures look like.
    pub width: Width,
}

impl Cx<'_> {
    /// The guest's registers.
    #[inline(always)]
    pub fn regs(&self) -> &GuestRegs {
        self.cpu.regs()
    }

    /// The guest's registers, to change.
    #[inline(always)]
    pub fn regs_mut(&mut self) -> &mut GuestRegs {
        self.cpu.regs_mut()
    }

    /// Replaces the arguments of the call under way, for [`Fail::Restart`].
    pub fn set_args<const N: usize>(&mut self, args: [u64; N]) {
        let regs = self.cpu.regs_mut();
        let slots = [
            &mut regs.rdi,
            &mut regs.rsi,
            &mut regs.rdx,
            &mut regs.r10,
            &mut regs.r8,
            &mut regs.r9,
        ];
        for (slot, value) in slots.into_iter().zip(args) {
            *slot = value;
        }
    }

    /// `Err(Restart)` when a long operation should make room for other work.
    #[inline]
    pub fn check_restart(&self) -> Result<(), Fail> {
        if self.cpu.work_pending() {
            Err(Fail::Restart)
        } else {
            Ok(())
        }
    }

    /// Gives dead frames back to the heap, of which a guest can have very many: for a call that is
    /// about to ask for memory, or how much there is. Errors: `Restart`.
    #[inline]
    pub fn reap(&self) -> Result<(), Fail> {
        while self.hv.reap_some() {
            self.check_restart()?;
        }
        Ok(())
    }

    /// Ends this vCPU's turn: another look is taken at what runs next.
    pub fn reschedule(&mut self) {
        self.live = false;
    }
}
