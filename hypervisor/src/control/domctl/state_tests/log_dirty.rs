//! Which pages were written to: all, while somebody asks.

use super::*;

fn shadow(cx: &mut Cx, op: u32, pages: u64) -> (HyperResult, DomctlShadowOp) {
    let mut arg = DomctlShadowOp {
        op,
        dirty_bitmap: DATA_VA + 0x1000,
        pages,
        ..Default::default()
    };
    loop {
        let result = super::op(cx, XEN_DOMCTL_shadow_op, 1, &mut arg);
        if result != Err(Fail::Restart) {
            return (result, arg);
        }
    }
}

#[test]
fn every_page_counts_as_written_to() {
    let (world, dom0, dom1) = worlds();
    dom1.dom.pages.reserve(5).unwrap();
    for patience in [None, Some(1), Some(2)] {
        world.machine.set_patience(patience);
        world.on(&dom0, 0, 0, |cx| {
            let clean = XEN_DOMCTL_SHADOW_OP_CLEAN;
            assert_eq!(shadow(cx, clean, 8).0, fails(Errno::EINVAL), "off");
            let enable = XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY;
            assert_eq!(shadow(cx, enable, 0).0, Ok(0));
            assert_eq!(shadow(cx, enable, 0).0, fails(Errno::EINVAL), "on");
            for pages in [0, 1, 13, 8 * 4096, 8 * 4096 + 3] {
                dom0.data[1]
                    .words()
                    .iter()
                    .for_each(|w| w.store(0, std::sync::atomic::Ordering::Relaxed));
                let (result, arg) = shadow(cx, clean, pages);
                assert_eq!(
                    (result, arg.pages, arg.stats.dirty_count),
                    (Ok(0), pages, 5)
                );
                let mut seen = [0u8; 4096];
                assert!(dom0.data[1].read(0, &mut seen));
                let ones: u64 = seen.iter().map(|byte| u64::from(byte.count_ones())).sum();
                assert_eq!(ones, pages.min(8 * 4096));
            }
            assert_eq!(shadow(cx, XEN_DOMCTL_SHADOW_OP_OFF, 0).0, Ok(0));
        });
    }
}

#[test]
fn what_there_is_not_is_refused() {
    let (world, dom0, _dom1) = worlds();
    world.on(&dom0, 0, 0, |cx| {
        for (op, errno) in [
            (XEN_DOMCTL_SHADOW_OP_ENABLE, Errno::EOPNOTSUPP),
            (XEN_DOMCTL_SHADOW_OP_ENABLE_TEST, Errno::EOPNOTSUPP),
            (XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION, Errno::EOPNOTSUPP),
            (77, Errno::EINVAL),
        ] {
            assert_eq!(shadow(cx, op, 0).0, fails(errno), "{op}");
        }
        let mut arg = DomctlShadowOp::default();
        let own = super::op(cx, XEN_DOMCTL_shadow_op, 0, &mut arg);
        assert_eq!(own, fails(Errno::EINVAL));
        // Addresses that the tools may not name, and more pages than any domain has.
        assert_eq!(shadow(cx, XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, 0).0, Ok(0));
        let (result, _) = shadow(cx, XEN_DOMCTL_SHADOW_OP_PEEK, u64::MAX);
        assert_eq!(result, fails(Errno::EFAULT));
    });
}
