//! Who may call, and with which version.

use super::domctl::call as domctl;
use super::sysctl::call as sysctl;
use crate::fail::Fail;
use crate::testing::{World, call};
use xen_abi::Errno;
use xen_abi::domctl::*;
use xen_abi::forms::Payload;
use xen_abi::sysctl::*;

const ANY: u32 = 9999;

#[test]
fn the_version_comes_first_then_the_right_then_the_call() {
    let world = World::new(1);
    for (id, privileged) in [(0, true), (1, false)] {
        let dom = world.domain(id, privileged, 1);
        let last = if privileged {
            Errno::ENOSYS
        } else {
            Errno::EPERM
        };
        let versions = |ours| {
            [
                (0, Errno::EACCES),
                (ours - 1, Errno::EACCES),
                (ours + 2, Errno::EACCES),
                (u32::MAX, Errno::EACCES),
                (ours, last),
                (ours + 1, last),
            ]
        };
        world.on(&dom, 0, 0, |cx| {
            for (interface_version, errno) in versions(XEN_SYSCTL_INTERFACE_VERSION) {
                let mut op = Sysctl {
                    cmd: ANY,
                    interface_version,
                    ..Default::default()
                };
                let result = call(cx, &mut op, |cx, arg| sysctl(cx, [arg]));
                assert_eq!(result, Err(Fail::Errno(errno)));
            }
            for (interface_version, errno) in versions(XEN_DOMCTL_INTERFACE_VERSION) {
                let mut op = Domctl {
                    cmd: ANY,
                    interface_version,
                    ..Default::default()
                };
                let result = call(cx, &mut op, |cx, arg| domctl(cx, [arg]));
                assert_eq!(result, Err(Fail::Errno(errno)));
            }
            assert_eq!(sysctl(cx, [8]), Err(Fail::Errno(Errno::EFAULT)));
            assert_eq!(domctl(cx, [8]), Err(Fail::Errno(Errno::EFAULT)));
        });
    }
}

#[test]
fn the_log_is_read_through_the_call() {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    crate::say!(world.hv, "a line");
    let mut op = Sysctl {
        cmd: XEN_SYSCTL_readconsole,
        interface_version: XEN_SYSCTL_INTERFACE_VERSION,
        ..Default::default()
    };
    op.set_arm(&SysctlReadconsole {
        buffer: dom.va(0, 0),
        count: 4096,
        ..Default::default()
    });
    let result = world.on(&dom, 0, 0, |cx| {
        call(cx, &mut op, |cx, arg| sysctl(cx, [arg]))
    });
    assert_eq!(result, Ok(0));
    let arm: SysctlReadconsole = op.arm();
    let mut got = [0; 13];
    assert!(dom.data[0].read(0, &mut got));
    assert_eq!((arm.count, &got), (13, b"(XEN) a line\n"));
}

#[test]
fn tools_of_newer_versions_are_served_what_they_mean() {
    let world = World::new(1);
    let dom = world.domain(0, true, 1);
    world.on(&dom, 0, 0, |cx| {
        for interface_version in [0x15, 0x16] {
            let mut op = Sysctl {
                cmd: XEN_SYSCTL_get_cpu_featureset,
                interface_version,
                ..Default::default()
            };
            let result = call(cx, &mut op, |cx, arg| sysctl(cx, [arg]));
            assert_eq!(result, Ok(0));
            assert_eq!(op.arm::<SysctlCpuFeatureset>().nr_features, 19);
            // The tools' libraries look for what they passed.
            assert_eq!(op.interface_version, interface_version);
        }
        for interface_version in [0x17, 0x18] {
            let mut op = Domctl {
                cmd: XEN_DOMCTL_get_cpu_policy,
                interface_version,
                ..Default::default()
            };
            let result = call(cx, &mut op, |cx, arg| domctl(cx, [arg]));
            assert_eq!(result, Ok(0));
            assert_eq!(op.arm::<DomctlCpuPolicy>().nr_leaves, 120);
        }
    });
    let newer = super::version::find(super::version::SYSCTL, 0x16).unwrap();
    assert_eq!(newer.serves(XEN_SYSCTL_livepatch_op), Err(Errno::ENOSYS));
    assert_eq!(newer.serves(XEN_SYSCTL_physinfo), Ok(()));
}
