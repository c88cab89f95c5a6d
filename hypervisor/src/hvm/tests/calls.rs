//! Calls that take another form, or are partly refused, for hardware-virtualised guests.

use super::*;
use xen_abi::hypercall as nr;
use xen_abi::mmu::*;
use xen_abi::physdev::*;
use xen_abi::version::XENVER_extraversion;
use xen_abi::xen::*;

/// Where arguments are.
const ARGS: u64 = 0x5000;

fn call(cx: &mut Cx, nr: u32, args: [u64; 4]) -> i64 {
    let r = cx.regs_mut();
    r.rax = nr.into();
    [r.rdi, r.rsi, r.rdx, r.r10] = args;
    run(cx, &[0x0f, 0x01, 0xd9], HvmExit::Hypercall);
    cx.regs().rax as i64
}

fn entry(op: u32, args: [u64; 2]) -> MulticallEntry {
    MulticallEntry {
        op: op.into(),
        args: [args[0], args[1], 0, 0, 0, 0],
        ..Default::default()
    }
}

#[test]
fn a_multicall_makes_the_calls_of_its_kind_and_goes_on_after_a_restart() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let mut list = [entry(nr::XEN_VERSION, [0, 0]); 7];
        list[1] = entry(nr::SET_TRAP_TABLE, [0, 0]);
        list[2] = entry(nr::MULTICALL, [0, 0]);
        list[3] = entry(nr::XEN_VERSION, [XENVER_extraversion.into(), ARGS + 0x800]);
        list[4] = entry(nr::XEN_VERSION, [XENVER_extraversion.into(), 1 << 47]);
        cx.copy_out(GuestPtr::new(ARGS), &list).unwrap();
        world.machine.set_patience(Some(1));
        let r = cx.regs_mut();
        (r.rax, r.rdi, r.rsi) = (nr::MULTICALL.into(), ARGS, 7);
        run(cx, &[0x0f, 0x01, 0xd9], HvmExit::Hypercall);
        // Interrupted: the instruction is made again with what is left.
        assert_eq!((cx.regs().rip, cx.regs().rsi), (CODE, 3));
        world.machine.set_patience(None);
        exits::serve(cx, HvmExit::Hypercall);
        assert_eq!((cx.regs().rip, cx.regs().rax), (CODE + 3, 0));
        let done: [MulticallEntry; 7] = cx.copy_in(GuestPtr::new(ARGS)).unwrap();
        let version = 4 << 16 | 20;
        for (n, want) in [
            (0, version),
            (1, Errno::ENOSYS.neg()),
            (2, Errno::EINVAL.neg()),
            (3, 0),
            (4, Errno::EFAULT.neg()),
            (6, version),
        ] {
            assert_eq!(done[n].result as i64, want, "{n}");
        }
        assert_eq!(
            call(cx, nr::MULTICALL, [1 << 47, 1, 0, 0]),
            Errno::EFAULT.neg()
        );
    });
}

#[test]
fn assists_tables_and_interrupts_are_others_business() {
    let world = World::new(1);
    let dom = guest(&world);
    on(&world, &dom, |cx| {
        let assist = |cx: &mut Cx, kind: u32| {
            let args = [VMASST_CMD_enable.into(), kind.into(), 0, 0];
            call(cx, nr::VM_ASSIST, args)
        };
        assert_eq!(assist(cx, VMASST_TYPE_runstate_update_flag), 0);
        assert_eq!(assist(cx, VMASST_TYPE_m2p_strict), Errno::EINVAL.neg());
        for cmd in [MMUEXT_PIN_L4_TABLE, MMUEXT_NEW_BASEPTR, MMUEXT_SET_LDT] {
            let op = MmuextOp {
                cmd,
                arg1: 3,
                ..Default::default()
            };
            cx.copy_out(GuestPtr::new(ARGS), &op).unwrap();
            let args = [ARGS, 1, 0, DOMID_SELF.into()];
            assert_eq!(call(cx, nr::MMUEXT_OP, args), Errno::EPERM.neg());
        }
        for (cmd, errno) in [
            (PHYSDEVOP_set_iopl, Errno::ENOSYS),
            (PHYSDEVOP_eoi, Errno::ENOSYS),
            (PHYSDEVOP_pirq_eoi_gmfn_v2, Errno::ENOSYS),
            (PHYSDEVOP_map_pirq, Errno::EFAULT),
            (PHYSDEVOP_pci_device_add, Errno::EFAULT),
        ] {
            let result = call(cx, nr::PHYSDEV_OP, [cmd.into(), 1 << 47, 0, 0]);
            assert_eq!(result, errno.neg(), "{cmd}");
        }
        let map = PhysdevMapPirq {
            domid: DOMID_SELF,
            ..Default::default()
        };
        cx.copy_out(GuestPtr::new(ARGS), &map).unwrap();
        let result = call(cx, nr::PHYSDEV_OP, [PHYSDEVOP_map_pirq.into(), ARGS, 0, 0]);
        assert_eq!(result, Errno::EOPNOTSUPP.neg());
        // Calls of the tools' are made, and look for themselves.
        assert_eq!(
            call(cx, nr::DOMCTL, [1 << 47, 0, 0, 0]),
            Errno::EFAULT.neg()
        );
        assert_eq!(
            call(cx, nr::SYSCTL, [1 << 47, 0, 0, 0]),
            Errno::EFAULT.neg()
        );
    });
}
