//! With `xsm=silo` domains have channels to themselves and the control domain only.

use super::*;
use crate::testing::World;
use crate::xsm::Policy;

#[test]
fn silo_keeps_domains_apart() {
    for (policy, apart) in [(Policy::Dummy, false), (Policy::Silo, true)] {
        let world = World::with_xsm(1, policy);
        let doms = [0, 1, 2].map(|id| world.domain(id, id == 0, 1));
        let wait = |cx: &mut Cx, dom, remote_dom| {
            let mut arg = EvtchnAllocUnbound {
                dom,
                remote_dom,
                port: 0,
            };
            op(cx, EVTCHNOP_alloc_unbound, &mut arg).map(|_| arg.port)
        };
        let denied = Err(Fail::Errno(Errno::EPERM));
        world.on(&doms[1], 0, 0, |cx| {
            assert!(wait(cx, DOMID_SELF, 0).is_ok());
            assert!(wait(cx, DOMID_SELF, DOMID_SELF).is_ok());
            assert_eq!(wait(cx, DOMID_SELF, 2) == denied, apart);
            let nobody = wait(cx, DOMID_SELF, 9);
            assert_eq!(nobody == Err(Fail::Errno(Errno::ESRCH)), apart);
        });
        // The tools make ports of guests' for guests too.
        let port = world.on(&doms[0], 0, 0, |cx| {
            assert_eq!(wait(cx, 1, 2) == denied, apart);
            assert!(wait(cx, 1, 0).is_ok());
            unbound(cx, 2)
        });
        // A port that waits all the same, as when it is older than the policy.
        let odd = super::super::bind::alloc_unbound(&doms[1].dom, 2).unwrap();
        world.on(&doms[2], 0, 0, |cx| {
            assert!(interdomain(cx, 0, port).is_ok());
            assert_eq!(interdomain(cx, 1, odd) == denied, apart);
        });
    }
}
