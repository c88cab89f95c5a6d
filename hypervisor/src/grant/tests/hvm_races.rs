//! Two vCPUs of one hardware-virtualised domain that map, unmap, move and take away the same
//! frames, and its end in the midst of it.

use super::*;
use crate::guest::GuestPtr;
use crate::mem::p2m;
use alloc::vec::Vec;
use core::sync::atomic::AtomicU32;
use machine::arch::sim::{GuestOp, for_seeds, random, relax};
use machine::hvm::HvmCpu;
use machine::{Gfn, PageType, TypeGet};
use xen_abi::memory::reservation::*;

/// The guest frames that all of it is about.
const PLACES: u64 = 3;
const FIRST: u64 = (DATA_VA >> 12) + 1;
/// The owner's frames, granted by 8 on.
const GRANTED: usize = 2;

/// One random call of a vCPU, `n` of its run, with its arguments in a page of its own.
fn step(cx: &mut Cx, rng: &mut u64, handles: &mut Vec<(u64, u32)>) {
    let pick = |rng: &mut u64, n: u64| (random(rng) >> 8) % n;
    let arg = DATA_VA + ((10 + u64::from(cx.vcpu.id)) << 12);
    let gfn = FIRST + pick(rng, PLACES);
    match pick(rng, 6) {
        0 | 1 => {
            let readonly = pick(rng, 2) as u32 * GNTMAP_readonly;
            let map = GnttabMapGrantRef {
                host_addr: gfn << 12,
                flags: GNTMAP_host_map | readonly,
                r#ref: 8 + pick(rng, GRANTED as u64) as u32,
                dom: 1,
                ..Default::default()
            };
            cx.copy_out(GuestPtr::new(arg), &map).unwrap();
            if super::super::call(cx, [GNTTABOP_map_grant_ref.into(), arg, 1]) == Ok(0) {
                let done: GnttabMapGrantRef = cx.copy_in(GuestPtr::new(arg)).unwrap();
                if done.status == GNTST_okay {
                    handles.push((gfn, done.handle));
                }
            }
        }
        2 | 3 => {
            // Of its own handles one, or somebody's at somebody's place.
            let (gfn, handle) = match handles.len() as u64 {
                n if n > 0 && pick(rng, 4) > 0 => handles[pick(rng, n) as usize],
                _ => (gfn, pick(rng, 4) as u32),
            };
            let unmap = GnttabUnmapGrantRef {
                host_addr: gfn << 12,
                handle,
                ..Default::default()
            };
            cx.copy_out(GuestPtr::new(arg), &unmap).unwrap();
            let _ = super::super::call(cx, [GNTTABOP_unmap_grant_ref.into(), arg, 1]);
            handles.retain(|held| *held != (gfn, handle));
        }
        4 => {
            let list = arg + 0x100;
            cx.copy_out(GuestPtr::new(list), &gfn).unwrap();
            let wish = MemoryReservation {
                extent_start: list,
                nr_extents: 1,
                domid: DOMID_SELF,
                ..Default::default()
            };
            cx.copy_out(GuestPtr::new(arg), &wish).unwrap();
            let cmd = [XENMEM_decrease_reservation, XENMEM_populate_physmap];
            let cmd = cmd[pick(rng, 2) as usize];
            let _ = crate::mem::memory_op::call(cx, [cmd.into(), arg]);
        }
        _ => {
            let wish = AddToPhysmap {
                domid: DOMID_SELF,
                space: [XENMAPSPACE_gmfn, XENMAPSPACE_grant_table][pick(rng, 2) as usize],
                idx: [FIRST + pick(rng, PLACES), 0][pick(rng, 2) as usize],
                gpfn: gfn,
                ..Default::default()
            };
            cx.copy_out(GuestPtr::new(arg), &wish).unwrap();
            let cmd = [XENMEM_add_to_physmap, XENMEM_remove_from_physmap];
            let cmd = cmd[pick(rng, 2) as usize];
            let _ = crate::mem::memory_op::call(cx, [cmd.into(), arg]);
        }
    }
    // The guest itself writes there, through what its CPU may still know.
    cx.cpu.script((0..PLACES).map(|n| GuestOp::Write {
        va: (FIRST + n) << 12,
        size: 8,
        value: 1,
    }));
    for _ in 0..PLACES + 1 {
        let _ = cx.cpu.enter_hvm(&mut cx.st.hvm.as_mut().unwrap().state);
    }
}

#[test]
fn calls_on_the_same_frames_leave_every_count_right() {
    for_seeds(60, |seed| {
        let world = World::new(3);
        let (a, b) = (world.hvm_guest(2, false, 2), world.domain(1, false, 1));
        let page = table(&world, &b, 0);
        // Frames that their owner does not map, and makes page tables of when it can.
        let granted: Vec<Page> = (0..GRANTED).map(|_| world.page(1)).collect();
        for (n, frame) in granted.iter().enumerate() {
            let gref = 8 + n as u32;
            write_v1(&page, gref, GTF_permit_access, 2, frame.mfn().0);
        }
        let running = AtomicU32::new(2);
        world.machine.run(seed, |cpu| {
            use machine::CpuApi;
            let id = cpu.id();
            if id == 2 {
                // The owner turns a frame into a table whenever nobody may write to it.
                let mut n = 0;
                while running.load(SeqCst) != 0 {
                    n = (n + 1) % GRANTED;
                    if let TypeGet::Validate { .. } = granted[n].get_type(PageType::L1) {
                        relax();
                        granted[n].type_cleared();
                    }
                    relax();
                }
                return;
            }
            drop(cpu);
            let mut rng = (seed << 8) | (u64::from(id) + 1);
            let mut handles = Vec::new();
            for _ in 0..25 {
                world.on_hvm(&a, id, id, |cx| step(cx, &mut rng, &mut handles));
            }
            running.fetch_sub(1, SeqCst);
        });
        a.dying.store(true, SeqCst);
        let cpu = world.machine.cpu(0);
        while p2m::relinquish(&cpu, &a).is_err() {}
        while !crate::grant::release_mappings(world.hv, &cpu, &a) {}
        for frame in &granted {
            let info = frame.info();
            assert_eq!((info.count(), info.page_type().1), (1, 0), "seed {seed}");
        }
        assert!(!crate::grant::in_use(&b.dom), "seed {seed}");
        world.hv.reap();
        // What is left of it is its allocation and its grant table.
        let left = a.pages.total();
        for n in 0..left {
            let mfn = a.pages.rotate(world.hv.mem).unwrap();
            let page = world.hv.mem.get_page(mfn, 2).unwrap();
            let count = page.info().count();
            assert!(count <= 2, "seed {seed}, frame {n} of {left}: {count}");
        }
        assert!(a.page(world.hv.mem, Gfn(FIRST)).is_none());
    });
}

#[test]
fn nothing_comes_into_the_map_of_a_domain_that_is_destroyed() {
    for_seeds(60, |seed| {
        let world = World::new(2);
        let dom0 = world.domain(0, true, 1);
        let b = world.domain(1, false, 1);
        let page = table(&world, &b, 0);
        write_v1(&page, 8, GTF_permit_access, 2, b.data[3].mfn().0);
        let before = (b.data[3].info().count(), b.data[3].info().page_type().1);
        let free = world.free_frames();
        let a = world.hvm_guest(2, false, 1);
        world.on_hvm(&a, 0, 0, |cx| {
            assert!(map_at(cx, FIRST << 12, GNTMAP_host_map, 1, 8).is_ok());
            let page = super::super::frame(cx.hv, cx.cpu, cx.dom, 0, false).unwrap();
            drop(page);
            assert_eq!(set_version(cx, 2), Ok(0));
        });
        world.machine.run(seed, |mut cpu| {
            use machine::CpuApi;
            if cpu.id() == 0 {
                while !Domain::destroy(world.hv, &mut cpu, &a) {
                    relax();
                }
                return;
            }
            drop(cpu);
            let mut rng = seed << 8 | 1;
            world.on(&dom0, 0, 1, |cx| {
                for _ in 0..60 {
                    let mut wish = AddToPhysmap {
                        domid: 2,
                        space: (random(&mut rng) >> 8) as u32 % 3,
                        idx: FIRST + (random(&mut rng) >> 8) % PLACES,
                        gpfn: FIRST + (random(&mut rng) >> 8) % 2000,
                        ..Default::default()
                    };
                    if wish.space != XENMAPSPACE_gmfn {
                        wish.idx = 0;
                    }
                    let _ = memory_op(cx, XENMEM_add_to_physmap, &mut wish);
                    let mut wish = RemoveFromPhysmap {
                        domid: 2,
                        gpfn: FIRST + (random(&mut rng) >> 8) % PLACES,
                        ..Default::default()
                    };
                    let _ = memory_op(cx, XENMEM_remove_from_physmap, &mut wish);
                }
            });
        });
        assert_eq!(a.pages.total(), 0, "seed {seed}");
        let nested = a.hvm.get().unwrap().nested.clone();
        let left = (0..FIRST + 2000).filter(|gfn| nested.lookup(Gfn(*gfn)).is_some());
        assert_eq!(left.count(), 0, "seed {seed}");
        drop(nested);
        let info = b.data[3].info();
        let after = (info.count(), info.page_type().1);
        assert_eq!(after, before, "seed {seed}");
        drop(a);
        crate::domain::bury(world.hv, &world.machine.cpu(0));
        assert_eq!(world.free_frames(), free, "seed {seed}");
    });
}
