//! vCPUs that are not there, and contexts no vCPU may have.

use super::{NON_CANONICAL, free_frame};
use guest_rt::harness::Outcome;
use guest_rt::{all_refused, check, hypercall, mem, refused};
use xen_abi::arch_x86::*;
use xen_abi::vcpu::*;

pub fn ids() -> Outcome {
    for id in [64, 4096, u32::MAX] {
        for cmd in [
            VCPUOP_up,
            VCPUOP_down,
            VCPUOP_is_up,
            VCPUOP_stop_periodic_timer,
            VCPUOP_send_nmi,
        ] {
            let result = hypercall::vcpu_plain(cmd, id);
            check!(result == Err(2), "vcpu_op {cmd} of {id}: {result:?}");
        }
    }
    // Never initialised, vCPU 1 cannot come up.
    refused!(hypercall::vcpu_plain(VCPUOP_up, 1), EINVAL);
    Ok(())
}

fn context() -> VcpuGuestContext {
    let mut context = VcpuGuestContext {
        flags: VGCF_in_kernel,
        ..Default::default()
    };
    context.user_regs.cs = FLAT_KERNEL_CS;
    context.user_regs.ss = FLAT_KERNEL_SS;
    context.user_regs.rip = guest_rt::traps::stub(6);
    context.kernel_ss = u64::from(FLAT_KERNEL_SS);
    context.ctrlreg[3] = xen_pfn_to_cr3(mem::boot_l4_mfn());
    context
}

pub fn initialise() -> Outcome {
    let try_with = |change: fn(&mut VcpuGuestContext)| {
        let mut context = context();
        change(&mut context);
        hypercall::vcpu(VCPUOP_initialise, 1, &mut context)
    };
    all_refused! {
        try_with(|c| c.ctrlreg[3] = 0) => EINVAL;
        try_with(|c| c.ctrlreg[3] = free_frame() << 12) => EINVAL;
        try_with(|c| c.ctrlreg[3] = mem::alloc().mfn() << 12) => EINVAL;
        try_with(|c| c.ctrlreg[3] = 0xf_ffff_ffff << 12) => EINVAL;
        try_with(|c| c.ctrlreg[1] = free_frame() << 12) => EINVAL;
        try_with(|c| c.gdt_ents = 8193) => EINVAL;
        try_with(|c| { c.gdt_ents = 512; c.gdt_frames[0] = free_frame(); }) => EINVAL;
        try_with(|c| c.ldt_ents = 8193) => EINVAL;
        try_with(|c| c.user_regs.rip = NON_CANONICAL) => EINVAL;
        try_with(|c| c.event_callback_eip = NON_CANONICAL) => EINVAL;
        try_with(|c| c.syscall_callback_eip = NON_CANONICAL) => EINVAL;
        try_with(|c| c.fs_base = NON_CANONICAL) => EINVAL;
        try_with(|c| c.kernel_sp = NON_CANONICAL) => EINVAL;
    }
    refused!(
        hypercall::vcpu(VCPUOP_initialise, 0, &mut context()),
        EEXIST
    );
    refused!(hypercall::vcpu_plain(VCPUOP_up, 1), EINVAL);
    Ok(())
}

pub fn areas() -> Outcome {
    let info = |mfn, offset| {
        hypercall::vcpu(
            VCPUOP_register_vcpu_info,
            1,
            &mut VcpuRegisterVcpuInfo {
                mfn,
                offset,
                rsvd: 0,
            },
        )
    };
    all_refused! {
        info(free_frame(), 0) => EINVAL;
        info(0xf_ffff_ffff, 0) => EINVAL;
        info(mem::boot_l4_mfn(), 0) => EACCES;
        info(mem::alloc().mfn(), 4096) => EINVAL;
        info(mem::alloc().mfn(), 4090) => ENXIO;
    }
    Ok(())
}
