//! With `xsm=silo` a grant to another guest is of no use to it.

use super::*;
use crate::xsm::Policy;

#[test]
fn silo_lets_the_control_domain_only() {
    for (policy, apart) in [(Policy::Dummy, false), (Policy::Silo, true)] {
        let world = World::with_xsm(1, policy);
        let doms = [0, 1, 2].map(|id| world.domain(id, id == 0, 1));
        let entries = table(&world, &doms[1], 0);
        let frame = doms[1].data[3].mfn().0;
        write_v1(&entries, 8, GTF_permit_access, 2, frame);
        write_v1(&entries, 9, GTF_permit_access, 0, frame);
        let use_it = |cx: &mut Cx, gref| {
            let map = map_at(cx, WINDOW, GNTMAP_host_map, 1, gref);
            if let Ok(handle) = map {
                assert_eq!(unmap_at(cx, WINDOW, handle), GNTST_okay);
            }
            let mut copy = GnttabCopy {
                source: GnttabCopyPtr {
                    u: gref.into(),
                    domid: 1,
                    ..Default::default()
                },
                dest: GnttabCopyPtr {
                    u: gref.into(),
                    domid: 1,
                    ..Default::default()
                },
                len: 0,
                flags: GNTCOPY_source_gref | GNTCOPY_dest_gref,
                ..Default::default()
            };
            assert_eq!(op(cx, GNTTABOP_copy, &mut copy), Ok(0));
            (map.err().unwrap_or(GNTST_okay), copy.status)
        };
        let want = if apart {
            (GNTST_permission_denied, GNTST_permission_denied)
        } else {
            (GNTST_okay, GNTST_okay)
        };
        world.on(&doms[2], 0, 0, |cx| assert_eq!(use_it(cx, 8), want));
        let okay = (GNTST_okay, GNTST_okay);
        world.on(&doms[0], 0, 0, |cx| assert_eq!(use_it(cx, 9), okay));
    }
}
