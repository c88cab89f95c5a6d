//! What a step of a script comes to: its values by now, what stands in memory, the operation.

use super::Play;
use crate::simtest::layout::*;
use crate::simtest::op::{Op, Put};
use crate::simtest::resume::to_user;
use crate::simtest::script::Who;
use crate::simtest::value::{SPECIAL, Val};
use core::sync::atomic::Ordering;
use machine::Mfn;
use machine::arch::sim::{GuestCpu, GuestOp};
use zerocopy::IntoBytes;

impl Play {
    fn mfn(&self, slot: u8, n: u16) -> u64 {
        let slot = usize::from(slot);
        if n >= SPECIAL {
            let special = self
                .special
                .get(slot)
                .and_then(|s| s.get(usize::from(n - SPECIAL)));
            return special.copied().unwrap_or(0);
        }
        let frames = self.frames.get(slot).map_or(&[][..], |f| f);
        // A domain without so many frames has some other.
        frames
            .get(usize::from(n))
            .or_else(|| frames.last())
            .copied()
            .unwrap_or(0)
    }

    pub(super) fn value(&self, who: Who, now: u64, val: Val) -> u64 {
        let vcpu = who.vcpu;
        match val {
            Val::Num(n) => n,
            Val::Mfn(slot, n) => self.mfn(slot, n),
            Val::Pte(slot, n, flags) => self.mfn(slot, n) << 12 | flags,
            Val::Entry(slot, n, at, cmd) => {
                self.mfn(slot, n) << 12 | u64::from(at & 511) << 3 | u64::from(cmd & 7)
            }
            Val::Data(n, offset) => va(n) + u64::from(offset),
            Val::Arg(offset) => args(vcpu) + u64::from(offset),
            Val::Soon(ns) => now + u64::from(ns),
            Val::Secret(n) if who.slot == 2 => self.setting.secret.wrapping_mul(u64::from(n) + 1),
            Val::Secret(n) => n.into(),
        }
    }

    /// Puts a call's argument into memory; the operation that faults when that does.
    fn put(&self, g: &GuestCpu<'_>, who: Who, put: Put) -> Option<GuestOp> {
        let (at, value) = (args(who.vcpu), |val| self.value(who, g.now, val));
        let (va, done) = match put {
            Put::Word(offset, size, val) => {
                let va = at + u64::from(offset);
                (va, g.write(va, size, value(val)))
            }
            Put::Zero(offset, len) => {
                let va = at + u64::from(offset);
                let zeros = [0; 256];
                (va, g.write_bytes(va, &zeros[..usize::from(len).min(256)]))
            }
            Put::Context(offset, slot, vcpu) => {
                let va = at + u64::from(offset);
                let root = self.mfn(slot, FIRST_TABLE);
                (va, g.write_bytes(va, context(vcpu, root).as_bytes()))
            }
        };
        done.err().map(|_| GuestOp::Write {
            va,
            size: 8,
            value: 0,
        })
    }

    fn call(&mut self, g: &mut GuestCpu<'_>, who: Who, op: &Op) -> GuestOp {
        let Op::Call {
            nr,
            op,
            args: list,
            mem,
        } = op
        else {
            return GuestOp::Work { ns: 1 };
        };
        if let Some(fault) = mem.iter().find_map(|put| self.put(g, who, *put)) {
            return fault;
        }
        let mut args = [0; 6];
        for (slot, val) in args.iter_mut().zip(list) {
            *slot = self.value(who, g.now, *val);
        }
        g.regs.r15 = self.done << 8 | 0x5a;
        self.tracks[who.index()].pending = Some((*nr, *op, g.regs.r15));
        self.reach.made(*nr, *op);
        self.alarm_asked(who, ((*nr).into(), *op), &args, g.now);
        GuestOp::Hypercall {
            nr: (*nr).into(),
            args,
        }
    }

    fn poke(&self, who: Who, which: u8, at: u16, size: u8, value: u64) {
        // The next domain of the id has others.
        if self.special_of.get(usize::from(who.slot)) != Some(&self.tracks[who.index()].of) {
            return;
        }
        let frame = Mfn(self.mfn(who.slot, SPECIAL + u16::from(which & 1)));
        let Some(page) = self.hv.mem.get_page(frame, who.slot.into()) else {
            return;
        };
        // The frame may be something else of the domain's by now.
        let (kind, n) = page.info().page_type();
        if kind != machine::PageType::Writable || n == 0 {
            return;
        }
        let mut bytes = value.to_le_bytes();
        let size = usize::from(size).min(8);
        for (i, byte) in bytes.iter_mut().enumerate().take(size) {
            let at = usize::from(at) + i;
            let kept = if which == 0 {
                self.alarm_bits(who.slot, at)
            } else {
                0
            };
            let there = page.byte(at).map_or(0, |byte| byte.load(Ordering::Relaxed));
            *byte = *byte & !kept | there & kept;
        }
        page.write(usize::from(at), &bytes[..size]);
    }

    /// Carries out a step.
    pub(super) fn perform(&mut self, g: &mut GuestCpu<'_>, who: Who, op: &Op) -> GuestOp {
        let now = g.now;
        let value = |play: &Play, val| play.value(who, now, val);
        match *op {
            Op::Call { .. } => self.call(g, who, op),
            Op::Read(va) => GuestOp::Read {
                va: value(self, va),
                size: 8,
            },
            Op::Write(va, size, val) => GuestOp::Write {
                va: value(self, va),
                size,
                value: value(self, val),
            },
            Op::Fetch(va) => GuestOp::Fetch {
                va: value(self, va),
            },
            Op::Trap(vector) => GuestOp::Exception { vector, error: 0 },
            Op::Int(vector) => GuestOp::Int { vector },
            Op::Insn(bytes) => {
                // It stands in the page of arguments, and the kernel gets there by a jump.
                let at = args(who.vcpu) + 0x200;
                if g.write(at, 8, bytes).is_ok() {
                    g.regs.rip = at;
                }
                GuestOp::Exception {
                    vector: if bytes & 0xffff == 0x0b0f { 6 } else { 13 },
                    error: 0,
                }
            }
            Op::Work(ns) => GuestOp::Work { ns },
            Op::User => to_user(g, who),
            Op::Poke(which, at, size, val) => {
                self.poke(who, which, at, size, value(self, val));
                GuestOp::Work { ns: 10 }
            }
            Op::Furnish(slot) => {
                self.wanted = Some(slot);
                GuestOp::Work { ns: 10 }
            }
        }
    }
}
