//! Entry points, machine check, extended state, MSRs.

use super::{fails, op, worlds};
use crate::cx::Cx;
use crate::fail::HyperResult;
use crate::guest::GuestPtr;
use crate::testing::DATA_VA;
use xen_abi::Errno;
use xen_abi::domctl::*;
use zerocopy::IntoBytes;

#[test]
fn entry_points_and_machine_check() {
    let (world, dom0, _dom1) = worlds();
    let size = size_of::<DomctlExtVcpucontext>() as u32;
    world.on(&dom0, 0, 0, |cx| {
        let mut arg = DomctlExtVcpucontext::default();
        let get = XEN_DOMCTL_get_ext_vcpucontext;
        let set = XEN_DOMCTL_set_ext_vcpucontext;
        assert_eq!(op(cx, get, 1, &mut arg), Ok(0));
        assert_eq!((arg.size, arg.vmce.caps), (size, 2));
        arg.syscall32_callback_eip = 0x1000;
        arg.sysenter_callback_eip = 0x2000;
        arg.syscall32_callback_cs = 0xe020;
        arg.sysenter_disables_events = 1;
        assert_eq!(op(cx, set, 1, &mut arg), Ok(0));
        let mut got = DomctlExtVcpucontext::default();
        assert_eq!(op(cx, get, 1, &mut got), Ok(0));
        (arg.syscall32_callback_cs, arg.sysenter_callback_cs) = (0xe023, 3);
        assert!(arg.as_bytes() == got.as_bytes());
        let mut try_with = |change: &dyn Fn(&mut DomctlExtVcpucontext)| {
            let mut arg = got;
            change(&mut arg);
            op(cx, set, 1, &mut arg)
        };
        assert_eq!(try_with(&|arg| arg.vcpu = 2), fails(Errno::ESRCH));
        assert_eq!(try_with(&|arg| arg.size = 8), fails(Errno::EINVAL));
        let bad = 1 << 47;
        let result = try_with(&|arg| arg.sysenter_callback_eip = bad);
        assert_eq!(result, fails(Errno::EINVAL));
        assert_eq!(try_with(&|arg| arg.vmce.caps = bad), fails(Errno::EPERM));
        let old = try_with(&|arg| (arg.size, arg.vmce.caps) = (size - 32, bad));
        assert_eq!(old, Ok(0));
    });
}

fn set_xstate(cx: &mut Cx, image: &[u8]) -> HyperResult {
    cx.copy_out_bytes(GuestPtr::new(DATA_VA), image).unwrap();
    let mut arg = DomctlVcpuextstate {
        size: image.len() as u64,
        buffer: DATA_VA,
        ..Default::default()
    };
    op(cx, XEN_DOMCTL_setvcpuextstate, 1, &mut arg)
}

#[test]
fn extended_state_is_checked() {
    let (world, dom0, dom1) = worlds();
    world.on(&dom0, 0, 0, |cx| {
        let get = XEN_DOMCTL_getvcpuextstate;
        let mut arg = DomctlVcpuextstate::default();
        assert_eq!(op(cx, get, 1, &mut arg), Ok(0));
        assert_eq!((arg.size, arg.xfeature_mask), (16 + 576, 7));
        let mut image = alloc::vec![0u8; 16 + 832];
        (image[0], image[8]) = (7, 7);
        (image[16 + 512], image[16 + 600]) = (7, 0xab);
        image[16 + 24..16 + 28].fill(0xff);
        assert_eq!(set_xstate(cx, &image), Ok(0));
        let mut arg = DomctlVcpuextstate::default();
        assert_eq!(op(cx, get, 1, &mut arg), Ok(0));
        assert_eq!(arg.size, 16 + 832);
        arg.buffer = DATA_VA;
        arg.size += 1;
        assert_eq!(op(cx, get, 1, &mut arg), fails(Errno::EINVAL));
        arg.size -= 1;
        assert_eq!(op(cx, get, 1, &mut arg), Ok(0));
        let mut got = alloc::vec![0u8; 16 + 832];
        cx.copy_in_bytes(GuestPtr::new(DATA_VA), &mut got).unwrap();
        // MXCSR's reserved bits would fault.
        image[16 + 26..16 + 28].fill(0);
        assert!(image == got);
        let mut with = |changes: &[(usize, u8)]| {
            let mut image = image.clone();
            for &(at, value) in changes {
                image[at] = value;
            }
            set_xstate(cx, &image)
        };
        let (bv, compacted, reserved) = (16 + 512, 16 + 527, 16 + 575);
        assert_eq!(with(&[(0, 6)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(0, 5)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(0, 15), (8, 15)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(7, 0x80), (15, 0x80)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(0, 0)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(8, 3)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(bv, 8)]), fails(Errno::EINVAL));
        assert_eq!(with(&[(compacted, 0x80)]), fails(Errno::EOPNOTSUPP));
        assert_eq!(with(&[(reserved, 1)]), fails(Errno::EINVAL));
        // A component that XCR0 lacks now would fault too.
        assert_eq!(with(&[(0, 3)]), Ok(0));
        assert_eq!(set_xstate(cx, &[0; 16]), Ok(0));
        assert_eq!(set_xstate(cx, &[0; 15]), fails(Errno::EINVAL));
        assert_eq!(set_xstate(cx, &[0; 849]), fails(Errno::EINVAL));
        assert_eq!(set_xstate(cx, &image[..16 + 575]), fails(Errno::EINVAL));
        let state = dom1.dom.vcpu(0).unwrap().state.try_lock().unwrap();
        assert_eq!((state.pv.fpu.xcr0, state.xcr0_accum), (3, 7));
        assert_eq!(state.pv.fpu.bytes()[512], 3);
    });
}

#[test]
fn there_are_no_msrs_to_save() {
    let (world, dom0, _dom1) = worlds();
    world.on(&dom0, 0, 0, |cx| {
        let mut arg = DomctlVcpuMsrs {
            msr_count: 7,
            ..Default::default()
        };
        assert_eq!(op(cx, XEN_DOMCTL_get_vcpu_msrs, 1, &mut arg), Ok(0));
        assert_eq!(arg.msr_count, 0);
        assert_eq!(op(cx, XEN_DOMCTL_set_vcpu_msrs, 1, &mut arg), Ok(0));
        (arg.msr_count, arg.msrs) = (u32::MAX, DATA_VA);
        let result = op(cx, XEN_DOMCTL_set_vcpu_msrs, 1, &mut arg);
        assert_eq!((result, arg.msr_count), (fails(Errno::EINVAL), 0));
    });
}
