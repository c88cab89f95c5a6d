//! Whatever both sides do, everything comes back.

use super::*;
use crate::grant::release_mappings;
use machine::{CpuApi, PageType};

#[test]
fn random_calls_and_scribbled_entries_leave_nothing_held() {
    for seed in 0..20u64 {
        let mut state = seed + 1;
        let mut random = move |below: u32| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((state >> 33) % below as u64) as u32
        };
        let world = World::new(1);
        let (a, b) = (world.domain(0, true, 1), world.domain(1, false, 1));
        let page = table(&world, &b, 0);
        if seed % 2 == 1 {
            world.on(&b, 0, 0, |cx| assert_eq!(set_version(cx, 2), Ok(0)));
        }
        let held = |t: &TestDomain| {
            t.data
                .iter()
                .map(|page| (page.info().count(), page.info().page_type()))
                .collect()
        };
        let before: alloc::vec::Vec<(u64, (PageType, u32))> = held(&b);
        world.on(&a, 0, 0, |cx| {
            for _ in 0..2000 {
                let gref = random(12);
                let at = WINDOW + ((random(4) as u64) << 12);
                match random(6) {
                    0 => {
                        let words = [random(64), random(3), random(u32::MAX)];
                        let frame = b.data[random(8) as usize].mfn().0;
                        let domid = words[1] as u16;
                        if seed % 2 == 1 {
                            let flags = words[0] as u16 | (words[2] as u16 & GTF_sub_page);
                            write_v2(&page, gref, flags, domid, words[2], frame);
                        } else {
                            write_v1(&page, gref, words[0] as u16, domid, frame);
                        }
                    }
                    1 | 2 => {
                        let flags = random(16);
                        let _ = map_at(cx, at, flags, 1, gref);
                    }
                    3 => {
                        unmap_at(cx, at, random(20));
                    }
                    4 => {
                        let dev_bus_addr = b.data[random(8) as usize].mfn().addr();
                        let handle = random(20);
                        let mut arg = GnttabUnmapGrantRef {
                            dev_bus_addr,
                            handle,
                            ..Default::default()
                        };
                        let _ = op(cx, GNTTABOP_unmap_grant_ref, &mut arg);
                    }
                    _ => {
                        let own = GnttabCopyPtr {
                            u: a.data[1].mfn().0,
                            domid: DOMID_SELF,
                            ..Default::default()
                        };
                        let grant = GnttabCopyPtr {
                            u: gref.into(),
                            domid: 1,
                            ..Default::default()
                        };
                        let mut arg = GnttabCopy {
                            source: own,
                            dest: grant,
                            len: random(5000) as u16,
                            flags: GNTCOPY_dest_gref,
                            ..Default::default()
                        };
                        let _ = op(cx, GNTTABOP_copy, &mut arg);
                    }
                }
            }
            for slot in 0..4 {
                crate::mem::update_va::call(cx, [WINDOW + (slot << 12), 0, 0]).unwrap();
            }
            cx.cpu.flush_local(machine::Flush::All);
            assert!(release_mappings(cx.hv, cx.cpu, &a.dom));
        });
        let after: alloc::vec::Vec<_> = held(&b);
        assert_eq!(after, before, "seed {seed}");
    }
}
