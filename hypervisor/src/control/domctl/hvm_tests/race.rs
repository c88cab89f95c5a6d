//! Tools that work on a domain while another ends it.

use super::*;

/// Puts `arg` where CPU `cpu`'s calls have theirs, makes the call until it is not restarted any
/// more, and reads it back.
fn from_cpu<T: IntoBytes + FromBytes + Immutable>(
    world: &World,
    control: &TestDomain,
    cpu: u32,
    arg: &mut T,
    f: impl Fn(&mut crate::cx::Cx, u64) -> HyperResult,
) -> HyperResult {
    let page = 10 + cpu as usize;
    control.data[page].write(0, arg.as_bytes());
    for _ in 0..100_000 {
        let at = control.va(page, 0);
        let result = world.on(control, cpu, cpu, |cx| f(cx, at));
        if result != Err(Fail::Restart) {
            let mut bytes = vec![0; size_of::<T>()];
            control.data[page].read(0, &mut bytes);
            *arg = T::read_from_bytes(&bytes).unwrap();
            return result;
        }
    }
    panic!("the call never ends");
}

/// One tool ends a domain while another fills it, maps it and sets it up: whoever is first, all of
/// its memory comes back.
#[test]
fn whatever_tools_do_to_a_domain_that_ends_leaves_nothing_behind() {
    let cpu = flat_cpu().as_bytes().to_vec();
    let state = stream(&[header(), (HVM_SAVE_CODE_CPU, 1, cpu), END]);
    for seed in 0..60 {
        let world = World::new(2);
        let control = world.domain(0, true, 2);
        let before = world.free_frames();
        let dom = create(&world, &control, 2);
        assert_eq!(populate(&world, &control, 2, 0x200, 4), Ok(1));
        control.data[1].write(0, &0x300u64.to_le_bytes());
        control.data[2].write(0, &state);
        let op = |cmd| Domctl {
            cmd,
            interface_version: XEN_DOMCTL_INTERFACE_VERSION,
            domain: 2,
            ..Default::default()
        };
        world.machine.run(seed, |cpu| {
            use ::machine::CpuApi;
            let id = cpu.id();
            drop(cpu);
            if id == 0 {
                let mut end = op(XEN_DOMCTL_destroydomain);
                let ended = from_cpu(&world, &control, 0, &mut end, |cx, at| domctl(cx, [at]));
                assert_eq!(ended, Ok(0));
                return;
            }
            for round in 0..3 {
                let mut more = MemoryReservation {
                    extent_start: control.va(1, 0),
                    nr_extents: 1,
                    extent_order: round,
                    domid: 2,
                    ..Default::default()
                };
                let _ = from_cpu(&world, &control, 1, &mut more, |cx, at| {
                    memory_op::call(cx, [XENMEM_populate_physmap.into(), at])
                });
                let mut set = op(XEN_DOMCTL_sethvmcontext);
                set.set_arm(&DomctlHvmcontext {
                    size: state.len() as u32,
                    _pad0: 0,
                    buffer: control.va(2, 0),
                });
                let _ = from_cpu(&world, &control, 1, &mut set, |cx, at| domctl(cx, [at]));
                let mut update = MmuUpdate {
                    ptr: control.l1.mfn().addr() + 500 * 8,
                    val: (0x200 + u64::from(round)) << 12 | 7,
                };
                let _ = from_cpu(&world, &control, 1, &mut update, |cx, at| {
                    mmu_update::call(cx, [at, 1, 0, 2])
                });
                let mut add = xen_abi::memory::physmap::AddToPhysmap {
                    domid: 2,
                    gpfn: 0x280,
                    ..Default::default()
                };
                let _ = from_cpu(&world, &control, 1, &mut add, |cx, at| {
                    memory_op::call(cx, [7, at])
                });
            }
        });
        let mut clear = MmuUpdate {
            ptr: control.l1.mfn().addr() + 500 * 8,
            val: 0,
        };
        let cleared = from_cpu(&world, &control, 0, &mut clear, |cx, at| {
            mmu_update::call(cx, [at, 1, 0, 0x7ff0])
        });
        assert_eq!(cleared, Ok(0));
        drop(dom);
        world.hv.reap();
        crate::domain::bury(world.hv, &world.machine.cpu(0));
        assert!(world.hv.domains.any(2).is_none(), "seed {seed}");
        assert_eq!(world.free_frames(), before, "seed {seed}");
    }
}
