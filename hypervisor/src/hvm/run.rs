//! A hardware-virtualised vCPU's turn on a CPU.

use super::{deliver, exits};
use crate::cx::Cx;
use crate::domain::{Domain, Vcpu, VcpuState};
use crate::hv::Hypervisor;
use alloc::sync::Arc;
use machine::hvm::{HvmCpu, HvmExit};
use machine::{Cpu, CpuApi};

/// Runs the vCPU until it has to leave.
pub fn run(
    cpu: &mut Cpu,
    hv: &Hypervisor,
    dom: &Arc<Domain>,
    vcpu: &Arc<Vcpu>,
    st: &mut VcpuState,
) {
    if let Some(hvm) = &mut st.hvm {
        cpu.load_hvm(&mut hvm.state);
        // What came while it did not run.
        hvm.look = true;
        vcpu.posted.publish(hvm.lapic.address());
    }
    let mut cx = Cx {
        cpu,
        hv,
        dom,
        vcpu,
        st,
        live: true,
        width: Default::default(),
    };
    crate::time::enter(&mut cx);
    loop {
        while cx.live {
            deliver::deliver(&mut cx);
            let exit = enter(&mut cx);
            exits::serve(&mut cx, exit);
        }
        if !hv.sched.stay(hv, cx.cpu, cx.dom, cx.vcpu) {
            break;
        }
        hv.reap_some();
        cx.live = true;
    }
    crate::time::leave(&mut cx);
    if let Some(hvm) = &mut cx.st.hvm {
        cx.cpu.save_hvm(&mut hvm.state);
    }
    dom.dirty_cpus.clear(cx.cpu.id());
}

#[inline(always)]
fn enter(cx: &mut Cx) -> HvmExit {
    match &mut cx.st.hvm {
        Some(hvm) => cx.cpu.enter_hvm(&mut hvm.state),
        // Only vCPUs of this kind come here.
        None => HvmExit::Invalid(0),
    }
}
