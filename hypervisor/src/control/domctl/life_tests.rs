//! Domains made and unmade by the tools' calls: after each end the machine's free memory is
//! what it was before.

use super::call as domctl;
use crate::domain::Domain;
use crate::fail::{Fail, HyperResult};
use crate::mem::alloc::{ANYWHERE, alloc_domain_pages};
use crate::mem::{OldTables, Tables, mmuext};
use crate::testing::{TestDomain, World, call};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::Ordering::Relaxed;
use machine::{Mfn, Page};
use xen_abi::Errno;
use xen_abi::arch_x86::XEN_X86_EMU_LAPIC;
use xen_abi::domctl::*;
use xen_abi::event_channel::{EVTCHNOP_bind_virq, EvtchnBindVirq};
use xen_abi::forms::Payload;
use xen_abi::mmu::*;
use xen_abi::xen::{DOMID_INVALID, VIRQ_DOM_EXC};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Makes a call with its arm until it is not restarted any more; the result and the id.
fn tool<T: IntoBytes + FromBytes + Immutable>(
    world: &World,
    control: &TestDomain,
    cmd: u32,
    domain: u16,
    arm: &mut T,
) -> (HyperResult, u16) {
    let mut op = Domctl {
        cmd,
        interface_version: if cmd == XEN_DOMCTL_get_domain_state {
            0
        } else {
            XEN_DOMCTL_INTERFACE_VERSION
        },
        domain,
        ..Default::default()
    };
    op.set_arm(arm);
    for _ in 0..100_000 {
        let result = world.on(control, 0, 0, |cx| {
            call(cx, &mut op, |cx, arg| domctl(cx, [arg]))
        });
        if result != Err(Fail::Restart) {
            *arm = op.arm();
            return (result, op.domain);
        }
    }
    panic!("the call never ends");
}

fn plain(max_vcpus: u32) -> DomctlCreatedomain {
    DomctlCreatedomain {
        max_vcpus,
        max_evtchn_port: 1023,
        max_grant_frames: -1,
        max_maptrack_frames: -1,
        grant_opts: 2,
        handle: [7; 16],
        ..Default::default()
    }
}

fn create(world: &World, control: &TestDomain, id: u16) -> Arc<Domain> {
    let (result, id) = tool(world, control, XEN_DOMCTL_createdomain, id, &mut plain(2));
    assert_eq!(result, Ok(0));
    let mut max = DomctlMaxVcpus { max: 2 };
    assert_eq!(
        tool(world, control, XEN_DOMCTL_max_vcpus, id, &mut max).0,
        Ok(0)
    );
    let mut max = DomctlMaxMem { max_memkb: 4096 };
    assert_eq!(
        tool(world, control, XEN_DOMCTL_max_mem, id, &mut max).0,
        Ok(0)
    );
    world.hv.domain(id).unwrap()
}

fn destroy(world: &World, control: &TestDomain, id: u16) -> HyperResult {
    tool(world, control, XEN_DOMCTL_destroydomain, id, &mut 0u64).0
}

fn info(world: &World, control: &TestDomain, id: u16) -> Result<DomctlGetdomaininfo, Fail> {
    let mut info = DomctlGetdomaininfo::default();
    tool(world, control, XEN_DOMCTL_getdomaininfo, id, &mut info)
        .0
        .map(|_| info)
}

/// Gives the domain frames, pins a tree of page tables that maps them all, and runs its vCPUs
/// on it.
fn furnish(world: &World, control: &TestDomain, dom: &Arc<Domain>) -> Vec<Mfn> {
    let mfns: Vec<Mfn> = world.on(control, 0, 0, |cx| {
        (0..64)
            .map(|_| alloc_domain_pages(cx.hv, cx.cpu, dom, 0, ANYWHERE).unwrap())
            .collect()
    });
    let page = |n: usize| world.hv.mem.get_page(mfns[n], dom.owner()).unwrap();
    for level in 0..3 {
        page(level).words()[0].store(mfns[level + 1].addr() | 7, Relaxed);
    }
    for (slot, mfn) in page(3).words().iter().zip(&mfns[4..]) {
        slot.store(mfn.addr() | 7, Relaxed);
    }
    pin(world, control, dom.id, mfns[0]).unwrap();
    for vcpu in dom.all_vcpus() {
        let mut state = vcpu.state.lock();
        let mut cpu = world.machine.cpu(0);
        let mut old = OldTables::new();
        let mut tables = Tables {
            hv: world.hv,
            cpu: &mut cpu,
            dom,
            old: &mut old,
        };
        let root: Page = page(0);
        tables.get_table(&root, 4).unwrap();
        state.root = Some(root);
    }
    mfns
}

fn pin(world: &World, control: &TestDomain, domid: u16, mfn: Mfn) -> HyperResult {
    let mut op = MmuextOp {
        cmd: MMUEXT_PIN_L4_TABLE,
        arg1: mfn.0,
        ..Default::default()
    };
    loop {
        let result = world.on(control, 0, 0, |cx| {
            call(cx, &mut op, |cx, at| {
                mmuext::call(cx, [at, 1, 0, domid.into()])
            })
        });
        if result != Err(Fail::Restart) {
            return result;
        }
    }
}

fn bury(world: &World) {
    world.hv.reap();
    crate::domain::bury(world.hv, &world.machine.cpu(0));
}

#[test]
fn what_a_domain_is_made_of_goes_with_it() {
    let world = World::new(2);
    let control = world.domain(0, true, 1);
    let before = world.free_frames();
    let mut last = 0;
    for patience in [None, Some(1), Some(2), Some(3), Some(5), Some(17)] {
        for _ in 0..8 {
            world.machine.set_patience(patience);
            let dom = create(&world, &control, 0);
            assert!(dom.id > last);
            last = dom.id;
            furnish(&world, &control, &dom);
            let weak = Arc::downgrade(&dom);
            drop(dom);
            assert_eq!(info(&world, &control, last).unwrap().tot_pages, 64);
            assert_eq!(destroy(&world, &control, last), Ok(0));
            bury(&world);
            assert!(weak.upgrade().is_none(), "somebody holds its record");
            assert!(info(&world, &control, last).is_err());
            assert_eq!(world.free_frames(), before);
        }
    }
    world.machine.audit().unwrap();
}

#[test]
fn memory_that_others_hold_keeps_the_record() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let before = world.free_frames();
    let dom = create(&world, &control, 5);
    let mfns = furnish(&world, &control, &dom);
    let held = world.hv.mem.get_page(mfns[9], 5).unwrap();
    drop(dom);
    assert_eq!(destroy(&world, &control, 5), Ok(0));
    bury(&world);
    let left = info(&world, &control, 5).unwrap();
    assert_eq!((left.tot_pages, left.flags & XEN_DOMINF_dying), (1, 1));
    // Nothing can be done to it, and its id stays taken.
    assert_eq!(destroy(&world, &control, 5), Ok(0));
    assert_eq!(
        tool(&world, &control, XEN_DOMCTL_createdomain, 5, &mut plain(1)).0,
        Err(Errno::EEXIST.into())
    );
    assert_eq!(
        tool(&world, &control, XEN_DOMCTL_unpausedomain, 5, &mut 0u64).0,
        Err(Errno::ESRCH.into())
    );
    drop(held);
    bury(&world);
    assert!(info(&world, &control, 5).is_err());
    assert_eq!(world.free_frames(), before);
    assert_eq!(create(&world, &control, 5).id, 5);
}

#[test]
fn a_validation_that_nobody_ends_is_undone() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let before = world.free_frames();
    for patience in 1..6 {
        let dom = create(&world, &control, 5);
        let mfns = furnish(&world, &control, &dom);
        // Another tree above the same lower tables, of which a part is checked.
        let page = |n: usize| world.hv.mem.get_page(mfns[n], 5).unwrap();
        for n in [1, 2] {
            page(n).words()[5].store(0, Relaxed);
        }
        let mut op = MmuextOp {
            cmd: MMUEXT_UNPIN_TABLE,
            arg1: mfns[0].0,
            ..Default::default()
        };
        world
            .on(&control, 0, 0, |cx| {
                call(cx, &mut op, |cx, at| mmuext::call(cx, [at, 1, 0, 5]))
            })
            .unwrap();
        for vcpu in dom.all_vcpus() {
            let root = vcpu.state.lock().root.take().unwrap();
            let mut cpu = world.machine.cpu(0);
            let mut old = OldTables::new();
            let mut tables = Tables {
                hv: world.hv,
                cpu: &mut cpu,
                dom: &dom,
                old: &mut old,
            };
            tables.put_table(root).unwrap();
        }
        world.machine.set_patience(Some(patience));
        op.cmd = MMUEXT_PIN_L4_TABLE;
        let _ = world.on(&control, 0, 0, |cx| {
            call(cx, &mut op, |cx, at| mmuext::call(cx, [at, 1, 0, 5]))
        });
        world.machine.set_patience(None);
        drop(dom);
        assert_eq!(destroy(&world, &control, 5), Ok(0));
        bury(&world);
        assert_eq!(world.free_frames(), before, "patience {patience}");
    }
}

#[test]
fn pauses_are_counted() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let id = create(&world, &control, 0).id;
    let paused = |cmd| tool(&world, &control, cmd, id, &mut 0u64).0;
    assert_ne!(
        info(&world, &control, id).unwrap().flags & XEN_DOMINF_paused,
        0
    );
    assert_eq!(paused(XEN_DOMCTL_pausedomain), Ok(0));
    assert_eq!(paused(XEN_DOMCTL_unpausedomain), Ok(0));
    assert_eq!(paused(XEN_DOMCTL_unpausedomain), Ok(0));
    assert_eq!(
        info(&world, &control, id).unwrap().flags & XEN_DOMINF_paused,
        0
    );
    assert_eq!(paused(XEN_DOMCTL_unpausedomain), Err(Errno::EINVAL.into()));
    for _ in 0..255 {
        assert_eq!(paused(XEN_DOMCTL_pausedomain), Ok(0));
    }
    assert_eq!(paused(XEN_DOMCTL_pausedomain), Err(Errno::EOVERFLOW.into()));
    let own = tool(&world, &control, XEN_DOMCTL_pausedomain, 0, &mut 0u64).0;
    assert_eq!(own, Err(Errno::EINVAL.into()));
    assert_eq!(destroy(&world, &control, 0), Err(Errno::EINVAL.into()));
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let refused = |change: fn(&mut DomctlCreatedomain)| {
        let mut want = plain(1);
        change(&mut want);
        tool(&world, &control, XEN_DOMCTL_createdomain, 0, &mut want).0
    };
    let einval = Err(Errno::EINVAL.into());
    assert_eq!(refused(|w| w.flags = XEN_DOMCTL_CDF_hvm), einval);
    assert_eq!(refused(|w| w.flags = XEN_DOMCTL_CDF_hap), einval);
    assert_eq!(refused(|w| w.flags = 1 << 20), einval);
    assert_eq!(refused(|w| w.max_vcpus = 0), einval);
    assert_eq!(refused(|w| w.max_vcpus = u32::MAX), einval);
    assert_eq!(refused(|w| w.grant_opts = 0), einval);
    assert_eq!(refused(|w| w.grant_opts = 3), einval);
    assert_eq!(refused(|w| w.grant_opts = 0x12), einval);
    assert_eq!(refused(|w| w.arch.misc_flags = 2), einval);
    assert_eq!(refused(|w| w.arch.emulation_flags = 1 << 30), einval);
    assert_eq!(
        refused(|w| w.arch.emulation_flags = XEN_X86_EMU_LAPIC),
        Err(Errno::EOPNOTSUPP.into())
    );
    assert_eq!(refused(|w| w.cpupool_id = 1), Err(Errno::ENODEV.into()));
    assert_eq!(refused(|_| ()), Ok(0));
}

/// The next domain that changed: its id, its state.
fn changed(world: &World, control: &TestDomain) -> Result<(u16, u16), Fail> {
    let mut state = DomctlGetDomainState::default();
    let cmd = XEN_DOMCTL_get_domain_state;
    let (result, id) = tool(world, control, cmd, DOMID_INVALID, &mut state);
    result.map(|_| (id, state.state))
}

#[test]
fn the_xenstore_is_told_of_each_change_once() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let dom = create(&world, &control, 3);
    world.hv.virq_handlers.lock()[VIRQ_DOM_EXC as usize] = 7;
    assert_eq!(changed(&world, &control), Err(Errno::EACCES.into()));
    world.hv.virq_handlers.lock()[VIRQ_DOM_EXC as usize] = 0;
    let mut bind = EvtchnBindVirq {
        virq: VIRQ_DOM_EXC,
        ..Default::default()
    };
    let bound = world.on(&control, 0, 0, |cx| {
        call(cx, &mut bind, |cx, at| {
            crate::event::call(cx, [EVTCHNOP_bind_virq.into(), at])
        })
    });
    assert_eq!(bound, Ok(0));

    // Who begins to ask is told of all that there are.
    let exists = XEN_DOMCTL_GETDOMSTATE_STATE_EXIST;
    assert_eq!(changed(&world, &control), Ok((0, exists)));
    assert_eq!(changed(&world, &control), Ok((3, exists)));
    assert_eq!(changed(&world, &control), Err(Errno::ENOENT.into()));

    // Made, shut down, dead, gone.
    let held = {
        let mfns = furnish(&world, &control, &dom);
        world.hv.mem.get_page(mfns[9], 3).unwrap()
    };
    create(&world, &control, 200);
    dom.shut_down(world.hv, &mut world.machine.cpu(0), 0);
    let shut = exists | XEN_DOMCTL_GETDOMSTATE_STATE_SHUTDOWN;
    assert_eq!(changed(&world, &control), Ok((3, shut)));
    assert_eq!(changed(&world, &control), Ok((200, exists)));
    assert_eq!(destroy(&world, &control, 3), Ok(0));
    let dead = shut | XEN_DOMCTL_GETDOMSTATE_STATE_DEAD;
    assert_eq!(changed(&world, &control), Ok((3, dead)));
    drop((dom, held));
    bury(&world);
    assert_eq!(changed(&world, &control), Ok((3, 0)));
    assert_eq!(changed(&world, &control), Err(Errno::ENOENT.into()));
}

#[test]
fn each_domain_has_a_number_of_its_own() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let cmd = XEN_DOMCTL_get_domain_state;
    let mut seen = Vec::new();
    for _ in 0..3 {
        drop(create(&world, &control, 4));
        let mut state = DomctlGetDomainState::default();
        assert_eq!(tool(&world, &control, cmd, 4, &mut state).0, Ok(0));
        assert!(!seen.contains(&state.unique_id));
        seen.push(state.unique_id);
        assert_eq!(destroy(&world, &control, 4), Ok(0));
        bury(&world);
    }
    let mut state = DomctlGetDomainState::default();
    let unknown = tool(&world, &control, cmd, 4, &mut state).0;
    assert_eq!(unknown, Err(Errno::ESRCH.into()));
    state.pad0 = 1;
    let padded = tool(&world, &control, cmd, 0, &mut state).0;
    assert_eq!(padded, Err(Errno::EINVAL.into()));
}

#[test]
fn a_domain_that_runs_the_xenstore_sees_who_is_there() {
    let world = World::new(1);
    let control = world.domain(0, true, 1);
    let store = world.domain(2, false, 1);
    assert_eq!(
        info(&world, &store, 0).unwrap_err(),
        Errno::EPERM.into(),
        "it does not run it yet"
    );
    store.dom.xenstore.store(true, Relaxed);
    assert!(info(&world, &store, 0).is_ok());
    let mut state = DomctlGetDomainState::default();
    let cmd = XEN_DOMCTL_get_domain_state;
    assert_eq!(tool(&world, &store, cmd, 2, &mut state).0, Ok(0));
    assert_eq!(state.caps, XEN_DOMCTL_GETDOMSTATE_CAP_XENSTORE);
    assert_eq!(destroy(&world, &store, 0), Err(Errno::EPERM.into()));
    assert!(info(&world, &control, 2).is_ok());
}
