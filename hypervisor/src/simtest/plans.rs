//! Steps that belong together: by chance alone they would seldom come in this order.

use super::arguments::Maker;
use super::calls::{Kind, family};
use super::chance::Chance;
use super::layout::*;
use super::op::{Op, Put};
use super::script::Who;
use super::value::Val;
use alloc::collections::VecDeque;
use alloc::vec;
use alloc::vec::Vec;
use core::mem::offset_of;
use xen_abi::domctl::*;
use xen_abi::event_channel::*;
use xen_abi::grant_table::*;
use xen_abi::hypercall as nr;
use xen_abi::memory::*;
use xen_abi::mmu::*;
use xen_abi::sched::*;
use xen_abi::vcpu::VCPUOP_stop_periodic_timer;
use xen_abi::xen::{DOMID_SELF, VIRQ_TIMER};

const RWU: u64 = 7;

fn num(n: impl Into<u64>) -> Val {
    Val::Num(n.into())
}

/// A call with its argument's words at bytes of the argument pages.
fn call(nr: u32, op: u32, args: Vec<Val>, words: &[(usize, u8, Val)]) -> Op {
    let word = |(at, size, val): &(usize, u8, Val)| Put::Word(*at as u16, *size, *val);
    let mem = core::iter::once(Put::Zero(0, 128)).chain(words.iter().map(word));
    Op::Call {
        nr: nr as u16,
        op,
        args,
        mem: mem.collect(),
    }
}

fn update_va(n: u16, pte: Val, flags: u64) -> Op {
    call(
        nr::UPDATE_VA_MAPPING,
        0,
        vec![Val::Data(n, 0), pte, num(flags)],
        &[],
    )
}

fn mmu_update(at: Val, value: Val) -> Op {
    let args = vec![Val::Arg(0), num(1u64), num(0u64), num(DOMID_SELF)];
    call(nr::MMU_UPDATE, 0, args, &[(0, 8, at), (8, 8, value)])
}

fn mmuext(cmd: u32, arg1: Val) -> Op {
    let args = vec![Val::Arg(0), num(1u64), num(0u64), num(DOMID_SELF)];
    call(nr::MMUEXT_OP, cmd, args, &[(0, 4, num(cmd)), (8, 8, arg1)])
}

fn pointer(nr: u32, op: u32, words: &[(usize, u8, Val)]) -> Op {
    call(nr, op, vec![num(op), Val::Arg(0)], words)
}

fn grant(op: u32, words: &[(usize, u8, Val)]) -> Op {
    call(
        nr::GRANT_TABLE_OP,
        op,
        vec![num(op), Val::Arg(0), num(1u64)],
        words,
    )
}

fn domctl(slot: u8, op: u32, words: &[(usize, u8, Val)]) -> Op {
    let head = [
        (0, 4, num(op)),
        (4, 4, num(XEN_DOMCTL_INTERFACE_VERSION)),
        (8, 2, num(slot)),
    ];
    let payload = words.iter().map(|(at, size, val)| (16 + at, *size, *val));
    let words: Vec<_> = head.into_iter().chain(payload).collect();
    call(nr::DOMCTL, op, vec![Val::Arg(0)], &words)
}

/// Makes a data frame a table, uses it, and makes it a plain page again.
fn tables(chance: &mut Chance, who: Who) -> Vec<Op> {
    let own = who.slot;
    let mut maker = Maker::new(chance, who);
    let n = maker.data();
    let level = maker.chance.below(3) as u16;
    let link = 100 + maker.chance.below(4) as u16;
    let above = FIRST_TABLE + 2 - level;
    let mut ops = vec![update_va(n, Val::Pte(own, n, RWU), UVMF_INVLPG | UVMF_ALL)];
    for _ in 0..maker.chance.below(4) {
        let frame = maker.frame();
        let at = maker.chance.below(4) as u16 * 8;
        ops.push(Op::Write(Val::Data(n, at), 8, Val::Pte(own, frame, RWU)));
    }
    let hidden = match maker.chance.below(3) {
        0 => num(0u64),
        _ => Val::Pte(own, n, 5),
    };
    let flush = maker.chance.of(&[UVMF_INVLPG | UVMF_ALL, UVMF_INVLPG, 0]);
    ops.push(update_va(n, hidden, flush));
    ops.push(mmuext(
        MMUEXT_PIN_L1_TABLE + u32::from(level),
        Val::Mfn(own, n),
    ));
    // What its kernel may have left in TLBs must not reach the table.
    ops.push(Op::Write(Val::Data(n, 32), 8, num(maker.chance.bits())));
    ops.push(mmu_update(
        Val::Entry(own, above, link, 0),
        Val::Pte(own, n, RWU),
    ));
    for _ in 0..maker.chance.below(4) {
        let at = maker.chance.below(4) as u16;
        let value = maker.value(Kind::Pte);
        ops.push(mmu_update(Val::Entry(own, n, at, 0), value));
    }
    let touch = |chance: &mut Chance| {
        let low = (0..level).fold(0, |va, l| va | chance.below(4) << (12 + 9 * l));
        let va = u64::from(link) << (21 + 9 * level) | low | chance.below(4) << 12;
        if chance.once_in(2) {
            Op::Read(num(va))
        } else {
            Op::Write(num(va), 8, num(chance.bits()))
        }
    };
    ops.push(touch(maker.chance));
    ops.push(mmu_update(Val::Entry(own, above, link, 0), num(0u64)));
    ops.push(touch(maker.chance));
    ops.push(mmuext(MMUEXT_UNPIN_TABLE, Val::Mfn(own, n)));
    ops.push(update_va(n, Val::Pte(own, n, RWU), 0));
    ops.push(touch(maker.chance));
    ops
}

/// Grants a frame to another.
fn offer(chance: &mut Chance, who: Who) -> Vec<Op> {
    let gref = 8 + chance.below(8) as u16;
    let to = chance.below(SLOTS.into());
    let frame = Maker::new(chance, who).data();
    let flags = chance.of(&[1, 1, 1, 5]);
    vec![
        grant(GNTTABOP_query_size, &[(0, 2, num(DOMID_SELF))]),
        Op::Poke(1, gref * 8 + 4, 4, Val::Mfn(who.slot, frame)),
        Op::Poke(1, gref * 8, 4, num(to << 16 | flags)),
        Op::Work(20_000),
        Op::Poke(1, gref * 8, 2, num(0u64)),
        grant(GNTTABOP_query_size, &[(0, 2, num(DOMID_SELF))]),
    ]
}

/// Takes what others may have granted: maps, uses, unmaps.
fn accept(chance: &mut Chance, who: Who) -> Vec<Op> {
    let mut ops = Vec::new();
    let from = chance.below(SLOTS.into());
    for _ in 0..1 + chance.below(4) {
        let gref = 8 + chance.below(8);
        let n = FRAMES + chance.below(SPARE.into()) as u16;
        let flags = chance.of(&[2u64, 2, 2, 6]);
        let map = |at: Val, flags: u64| {
            grant(
                GNTTABOP_map_grant_ref,
                &[
                    (0, 8, at),
                    (8, 4, num(flags)),
                    (12, 4, num(gref)),
                    (16, 2, num(from)),
                ],
            )
        };
        match chance.below(8) {
            // Where nothing can be mapped.
            0 => ops.push(map(num(chance.of(&[0x7000_0000_0000u64, 1 << 47])), flags)),
            // Twice, with other rights; either's handle may be undone at the other's address.
            1 | 2 => {
                let other = FRAMES + chance.below(SPARE.into()) as u16;
                ops.push(map(Val::Data(other, 0), flags ^ 4));
            }
            _ => {}
        }
        ops.push(map(Val::Data(n, 0), flags));
        ops.push(Op::Read(Val::Data(n, 8)));
        ops.push(Op::Write(Val::Data(n, 16), 8, num(chance.bits())));
        ops.push(grant(
            GNTTABOP_unmap_grant_ref,
            &[(0, 8, Val::Data(n, 0)), (16, 4, num(chance.below(4)))],
        ));
        ops.push(Op::Write(Val::Data(n, 16), 8, num(0u64)));
    }
    let _ = who;
    ops
}

/// Opens channels to others and sends.
fn events(chance: &mut Chance, who: Who) -> Vec<Op> {
    let (a, b) = (chance.below(SLOTS.into()), chance.below(SLOTS.into()));
    let mut ops = vec![
        Op::Poke(0, u16::from(who.vcpu) * 64 + 1, 1, num(0u64)),
        pointer(
            nr::EVENT_CHANNEL_OP,
            EVTCHNOP_alloc_unbound,
            &[(0, 2, num(DOMID_SELF)), (2, 2, num(a))],
        ),
        pointer(
            nr::EVENT_CHANNEL_OP,
            EVTCHNOP_bind_interdomain,
            &[(0, 2, num(b)), (4, 4, num(1 + chance.below(8)))],
        ),
    ];
    for _ in 0..chance.below(6) {
        let port = 1 + chance.below(8);
        let op = chance.of(&[EVTCHNOP_send, EVTCHNOP_send, EVTCHNOP_unmask]);
        ops.push(pointer(nr::EVENT_CHANNEL_OP, op, &[(0, 4, num(port))]));
    }
    if chance.once_in(2) {
        let port = 1 + chance.below(8);
        ops.push(pointer(
            nr::EVENT_CHANNEL_OP,
            EVTCHNOP_close,
            &[(0, 4, num(port))],
        ));
    }
    ops
}

/// Changes to FIFO events.
fn fifo(chance: &mut Chance, who: Who) -> Vec<Op> {
    let mut maker = Maker::new(chance, who);
    let (control, array) = (maker.data(), maker.data());
    let mut ops = vec![
        pointer(
            nr::EVENT_CHANNEL_OP,
            EVTCHNOP_init_control,
            &[(0, 8, Val::Mfn(who.slot, control)), (12, 4, num(who.vcpu))],
        ),
        pointer(
            nr::EVENT_CHANNEL_OP,
            EVTCHNOP_expand_array,
            &[(0, 8, Val::Mfn(who.slot, array))],
        ),
    ];
    ops.extend(events(chance, who));
    ops
}

/// Gives memory back and takes other.
fn balloon(chance: &mut Chance, who: Who) -> Vec<Op> {
    let n = Maker::new(chance, who).data();
    let reservation = |nr: u64, list: Val| {
        [
            (
                offset_of!(MemoryReservation, extent_start),
                8,
                Val::Arg(2048),
            ),
            (offset_of!(MemoryReservation, nr_extents), 8, num(nr)),
            (offset_of!(MemoryReservation, domid), 2, num(DOMID_SELF)),
            (2048, 8, list),
        ]
    };
    let leave = chance.of(&[UVMF_INVLPG | UVMF_ALL, UVMF_INVLPG, 0]);
    vec![
        Op::Write(Val::Data(n, 24), 8, Val::Secret(1)),
        update_va(n, num(0u64), leave),
        pointer(
            nr::MEMORY_OP,
            XENMEM_decrease_reservation,
            &reservation(1, Val::Mfn(who.slot, n)),
        ),
        Op::Read(Val::Data(n, 0)),
        pointer(
            nr::MEMORY_OP,
            XENMEM_populate_physmap,
            &reservation(1 + chance.below(2), num(40 + chance.below(8))),
        ),
        update_va(n, Val::Pte(who.slot, FRAMES, RWU), 0),
        Op::Read(Val::Data(n, 24)),
        update_va(n, Val::Pte(who.slot, n, RWU), 0),
    ]
}

/// Sleeps for a while.
fn sleep(chance: &mut Chance, who: Who) -> Vec<Op> {
    let soon = Val::Soon(chance.of(&[1000, 20_000, 200_000]));
    let kind = chance.below(4);
    if kind == 0 {
        // An interrupt of its own, and no tick beside it.
        let bind = [(0, 4, num(VIRQ_TIMER)), (4, 4, num(who.vcpu))];
        return vec![
            pointer(nr::EVENT_CHANNEL_OP, EVTCHNOP_bind_virq, &bind),
            call(
                nr::VCPU_OP,
                VCPUOP_stop_periodic_timer,
                vec![num(VCPUOP_stop_periodic_timer), num(who.vcpu)],
                &[],
            ),
            call(nr::SET_TIMER_OP, 0, vec![soon], &[]),
            Op::Work(chance.of(&[100, 50_000, 400_000])),
            call(nr::SET_TIMER_OP, 0, vec![num(0u64)], &[]),
            call(nr::SET_TIMER_OP, 0, vec![soon], &[]),
        ];
    }
    if kind == 1 {
        return vec![pointer(
            nr::SCHED_OP,
            SCHEDOP_poll,
            &[(0, 8, Val::Arg(2048)), (16, 8, soon)],
        )];
    }
    vec![
        call(nr::SET_TIMER_OP, 0, vec![soon], &[]),
        call(
            nr::SCHED_OP,
            SCHEDOP_block,
            vec![num(SCHEDOP_block), num(0u64)],
            &[],
        ),
    ]
}

/// Ends a domain and builds it anew, as the tools do.
fn build(chance: &mut Chance) -> Vec<Op> {
    let slot = 1 + chance.below(u64::from(SLOTS) - 1) as u8;
    let mut ops = Vec::new();
    if !chance.once_in(4) {
        for _ in 0..1 + chance.below(3) {
            ops.push(domctl(slot, XEN_DOMCTL_destroydomain, &[]));
        }
    }
    let word = |at, val: u64| (at, 4, num(val));
    ops.push(domctl(
        slot,
        XEN_DOMCTL_createdomain,
        &[
            word(offset_of!(DomctlCreatedomain, max_vcpus), VCPUS.into()),
            word(offset_of!(DomctlCreatedomain, max_evtchn_port), 1023),
            word(offset_of!(DomctlCreatedomain, max_grant_frames), 4),
            word(offset_of!(DomctlCreatedomain, max_maptrack_frames), 4),
            word(offset_of!(DomctlCreatedomain, grant_opts), 2),
        ],
    ));
    ops.push(domctl(slot, XEN_DOMCTL_max_vcpus, &[word(0, VCPUS.into())]));
    ops.push(domctl(slot, XEN_DOMCTL_max_mem, &[(0, 8, num(2048u64))]));
    let populate = [
        (
            offset_of!(MemoryReservation, extent_start),
            8,
            Val::Arg(2048),
        ),
        (offset_of!(MemoryReservation, nr_extents), 8, num(FRAMES)),
        (offset_of!(MemoryReservation, domid), 2, num(slot)),
    ];
    ops.push(pointer(nr::MEMORY_OP, XENMEM_populate_physmap, &populate));
    ops.push(Op::Furnish(slot));
    for vcpu in 0..VCPUS {
        let Op::Call {
            nr,
            op,
            args,
            mut mem,
        } = domctl(
            slot,
            XEN_DOMCTL_setvcpucontext,
            &[word(0, vcpu.into()), (8, 8, Val::Arg(2048))],
        )
        else {
            continue;
        };
        mem.push(Put::Context(2048, slot, vcpu));
        ops.push(Op::Call { nr, op, args, mem });
    }
    ops.push(domctl(slot, XEN_DOMCTL_unpausedomain, &[]));
    ops
}

/// Wakes what the tools or the domain itself stopped.
fn mend(chance: &mut Chance) -> Vec<Op> {
    let slot = 1 + chance.below(u64::from(SLOTS) - 1) as u8;
    vec![
        domctl(slot, XEN_DOMCTL_unpausedomain, &[]),
        domctl(slot, XEN_DOMCTL_resumedomain, &[]),
        domctl(slot, XEN_DOMCTL_unpausedomain, &[]),
    ]
}

/// Maps memory of a domain into the control domain.
fn foreign(chance: &mut Chance, who: Who) -> Vec<Op> {
    let slot = 1 + chance.below(u64::from(SLOTS) - 1) as u8;
    let n = FRAMES + chance.below(SPARE.into()) as u16;
    let frame = Maker::new(chance, who).frame();
    let flags = chance.of(&[5, 7, 7]);
    let map = |pte: Val| {
        let args = vec![Val::Data(n, 0), pte, num(UVMF_INVLPG), num(slot)];
        call(nr::UPDATE_VA_MAPPING_OTHERDOMAIN, 0, args, &[])
    };
    vec![
        map(Val::Pte(slot, frame, flags)),
        Op::Read(Val::Data(n, 0)),
        Op::Write(Val::Data(n, 8), 8, num(chance.bits())),
        map(num(0u64)),
    ]
}

/// A plan for `who`.
pub fn plan(chance: &mut Chance, who: Who) -> VecDeque<Op> {
    let control = who.slot == 0;
    let ops = match chance.below(12) {
        0 | 1 => tables(chance, who),
        2 => offer(chance, who),
        3 => accept(chance, who),
        4 => events(chance, who),
        5 => balloon(chance, who),
        6 => sleep(chance, who),
        7 if chance.once_in(3) => fifo(chance, who),
        8 | 9 if control => build(chance),
        10 if control => mend(chance),
        11 if control => foreign(chance, who),
        8 | 9 => offer(chance, who),
        10 | 11 => accept(chance, who),
        _ => {
            let op = family(nr::SCHED_OP)
                .map(|f| Maker::new(chance, who).operation(f, SCHEDOP_yield, None));
            op.into_iter().collect()
        }
    };
    ops.into()
}
