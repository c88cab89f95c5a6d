//! A vCPU's state, frames' types and permissions through the call, with tools that are wrong.

extern crate std;

mod context;
mod extended;
mod log_dirty;
mod permission;

use super::{TABLE, call};
use crate::cx::Cx;
use crate::fail::{Fail, HyperResult};
use crate::guest::GuestPtr;
use crate::testing::{self, DATA_VA, TestDomain, World};
use alloc::vec::Vec;
use machine::{PageType, TypeGet};
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes};

fn fails(errno: Errno) -> HyperResult {
    Err(Fail::Errno(errno))
}

/// Makes a call on domain `domid` and reads its argument back.
fn op<T: FromBytes + IntoBytes + Immutable>(
    cx: &mut Cx,
    cmd: u32,
    domain: u16,
    arm: &mut T,
) -> HyperResult {
    let mut op = Domctl {
        cmd,
        interface_version: XEN_DOMCTL_INTERFACE_VERSION,
        domain,
        ..Default::default()
    };
    op.set_arm(arm);
    let result = testing::call(cx, &mut op, |cx, at| call(cx, [at]));
    *arm = op.arm();
    result
}

fn worlds() -> (World, TestDomain, TestDomain) {
    let world = World::new(1);
    let leaf = |leaf, sub, value| world.machine.set_cpuid(leaf, sub, value);
    leaf(1, 0, [0, 0, 1 << 26, 0]);
    leaf(0xd, 0, [7, 0, 0, 0]);
    leaf(0xd, 2, [256, 576, 0, 0]);
    (world, world.domain(0, true, 1), world.domain(1, false, 2))
}

#[test]
fn frames_have_types() {
    let (world, dom0, dom1) = worlds();
    dom1.dom.pages.reserve(1).unwrap();
    let page = || world.hv.alloc_block(0).unwrap().into_page(true).unwrap();
    let plain = dom1.dom.pages.assign(world.hv.mem, 1, page()).unwrap();
    dom1.dom.pages.reserve(1).unwrap();
    let table = dom1.dom.pages.assign(world.hv.mem, 1, page()).unwrap();
    let held = world.hv.mem.get_page(table, 1).unwrap();
    assert!(matches!(
        held.get_type(PageType::L2),
        TypeGet::Validate { .. }
    ));
    held.type_validated();
    assert!(held.set_pinned());
    let frames = [
        plain.0,
        table.0,
        dom1.dom.shared_info.mfn().0,
        dom0.data[0].mfn().0,
        u64::MAX,
    ];
    world.on(&dom0, 0, 0, |cx| {
        let at = GuestPtr::<[u64; 5]>::new(DATA_VA);
        cx.copy_out(at, &frames).unwrap();
        let mut arg = DomctlGetpageframeinfo3 {
            num: 5,
            array: DATA_VA,
        };
        assert_eq!(op(cx, XEN_DOMCTL_getpageframeinfo3, 1, &mut arg), Ok(0));
        let xtab = u64::from(XEN_DOMCTL_PFINFO_XTAB);
        let l2 = u64::from(XEN_DOMCTL_PFINFO_L2TAB | XEN_DOMCTL_PFINFO_LPINTAB);
        assert_eq!(cx.copy_in(at).unwrap(), [0, l2, xtab, xtab, xtab]);
        for (num, array, errno) in [
            (1025, DATA_VA, Errno::E2BIG),
            (1 << 32, DATA_VA, Errno::E2BIG),
            (1, 8, Errno::EFAULT),
        ] {
            let mut arg = DomctlGetpageframeinfo3 { num, array };
            let result = op(cx, XEN_DOMCTL_getpageframeinfo3, 1, &mut arg);
            assert_eq!(result, fails(errno));
        }
    });
}

#[test]
fn only_the_control_domain_and_only_on_domains() {
    let (world, dom0, dom1) = worlds();
    let ours: Vec<u32> = TABLE.iter().map(|row| row.nr).collect();
    let mine = [
        10, 12, 13, 19, 20, 21, 38, 39, 40, 42, 43, 48, 61, 62, 63, 72, 73, 85, 86, 88,
    ];
    for cmd in mine {
        assert!(ours.contains(&cmd));
        let mut arm = [0u64; 16];
        let result = world.on(&dom1, 0, 0, |cx| op(cx, cmd, 0, &mut arm));
        assert_eq!(result, fails(Errno::EPERM), "{cmd}");
        let result = world.on(&dom0, 0, 0, |cx| op(cx, cmd, 77, &mut arm));
        assert_eq!(result, fails(Errno::ESRCH), "{cmd}");
    }
}
