//! What the simulation found, each as small as it could be made.

extern crate std;

use super::script::Script;
use super::session::{self, Trace};
use crate::domain::Domain;
use crate::testing::World;
use alloc::sync::Arc;
use core::sync::atomic::Ordering::Relaxed;
use machine::arch::sim::for_seeds;

/// Plays a script that failed once.
fn plays(text: &str) {
    let script: Script = text.parse().unwrap();
    let outcome = session::run(&script, Trace::No);
    assert_eq!(outcome.failure, None);
}

/// A domain's shared page stayed writable memory for good when others still had it mapped as
/// the domain's record went: seed 24.
#[test]
fn a_shared_page_is_of_no_type_once_its_domain_has_gone() {
    let world = World::new(1);
    let page = world.page(1);
    let mapped = page.another();
    let dom = Domain::new(1, false, 1, 16, page).unwrap();
    drop(dom);
    assert_eq!(mapped.info().page_type().1, 0);
}

/// Two CPUs saw that nothing was left of a domain; one took its record away and made another
/// domain of that id, and the other one took that away, too: seed 42.
#[test]
fn a_record_goes_without_the_next_domain_of_its_id() {
    for_seeds(200, |seed| {
        let world = World::new(2);
        let domain = || Domain::new(1, false, 1, 16, world.page(1)).unwrap();
        let old = domain();
        old.dying.store(true, Relaxed);
        assert!(world.hv.domains.insert(old.clone()));
        world.hv.domains.add_zombie(&old);
        world.machine.run(seed, |cpu| {
            crate::domain::bury(world.hv, &cpu);
            if world.hv.domains.any(1).is_none() {
                world.hv.domains.insert(domain());
            }
        });
        let found = world.hv.domains.any(1);
        assert!(found.is_some_and(|found| !Arc::ptr_eq(&found, &old)));
    });
}

/// A handle that may write, undone at the address of one that only reads, left a writable
/// mapping behind with nothing but a use that reads: seed 11.
#[test]
fn a_handle_does_not_remove_the_mapping_of_another() {
    let wait = "1.0 work f4240\n".repeat(8);
    let script = std::format!(
        "machine 0 1 2 0 0
         0.0 call 14.6 0x6 a+0 0x1 with zero/0=80 0/2=0x7ff0
         0.0 work 10
         0.0 work 10
         0.0 poke 1 54 4 m0.b
         0.0 poke 1 50 4 0x10001
         {wait}
         1.0 call 14.0 0x0 a+0 0x1 with zero/0=80 0/8=d1e+0 8/4=0x2 c/4=0xa 10/2=0x0
         1.0 call 14.0 0x0 a+0 0x1 with zero/0=80 0/8=d23+0 8/4=0x6 c/4=0xa 10/2=0x0
         1.0 call 14.1 0x1 a+0 0x1 with zero/0=80 0/8=d23+0 10/4=0x0
         1.0 work 10"
    );
    plays(&script);
}

/// Scripts read as they are written.
#[test]
fn a_script_is_the_same_as_text() {
    let script = super::script(5, 3000);
    let text = alloc::string::ToString::to_string(&script);
    assert_eq!(text.parse::<Script>().unwrap(), script);
}

/// A short script of each kind: that the machinery is in order.
#[test]
fn scripts_play() {
    for seed in 0..3 {
        let script = super::script(seed, 300);
        plays(&alloc::string::ToString::to_string(&script));
    }
}

/// The page of a vCPU's `vcpu_info` stayed writable memory for good when the control domain still
/// had it mapped as the domain went: seed 718.
#[test]
fn a_vcpus_page_is_of_no_type_once_its_domain_has_gone() {
    plays(
        "machine 2d3 4 100 0 0
2.0 call 18.a 0xa 0x0 a+0 with zero/0=a0 0/8=m2.e 8/4=0x0
0.0 call 24.2 a+0 with zero/0=80 0/4=0x2 4/4=0x17 8/2=0x2
0.1 call 16.0 d21+0 p2.e:7 0x2 0x2 with zero/0=80
",
    );
}

/// What a seed comes to does not depend on what the process did before: two domains' locks were
/// taken in the order of their addresses on the heap, which differed.
#[test]
fn a_script_comes_to_the_same_whatever_ran_before() {
    let sum = |seed| session::run(&super::script(seed, 3000), Trace::No).sum;
    let first: [u64; 4] = core::array::from_fn(|seed| sum(seed as u64));
    for seed in [3, 1, 2, 0] {
        assert_eq!(sum(seed as u64), first[seed], "seed {seed}");
    }
}
