//! Makes calls: arguments that are mostly sound, from what each field means.

use super::calls::{Family, Field, Form, Kind, shape};
use super::chance::Chance;
use super::layout::*;
use super::op::{Op, Put};
use super::script::Who;
use super::value::Val;
use alloc::vec;
use alloc::vec::Vec;
use xen_abi::hypercall as nr;
use xen_abi::xen::DOMID_SELF;

/// Where arrays and buffers stand among the argument pages, one after the other.
const ROOM: u16 = 2048;
/// Bytes of each.
const EACH: u16 = 512;

/// Values that have broken hypervisors.
const HOSTILE: &[u64] = &[
    0,
    1,
    2,
    0xff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7fff_ffff_ffff,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_8300_0000_0000,
    0x000f_ffff_ffff_f000,
    u64::MAX - 7,
    u64::MAX,
];

/// One call in the making.
pub struct Maker<'a> {
    /// Chooses.
    pub chance: &'a mut Chance,
    /// Who makes it.
    pub who: Who,
    /// Its kernel keeps off what it stands on: its stacks and the tables in use.
    pub careful: bool,
    /// What stands in memory so far.
    mem: Vec<Put>,
    /// Arrays and buffers so far.
    arrays: u16,
    /// Bytes of the last text.
    text: u64,
}

impl<'a> Maker<'a> {
    /// A call by `who`.
    pub fn new(chance: &'a mut Chance, who: Who) -> Maker<'a> {
        Maker {
            careful: who.slot == 0 && !chance.once_in(300),
            chance,
            who,
            mem: Vec::new(),
            arrays: 0,
            text: 0,
        }
    }

    /// A data frame: few, so that vCPUs meet.
    pub fn data(&mut self) -> u16 {
        FIRST_DATA + self.chance.below(6) as u16
    }

    /// A frame of a domain.
    pub fn frame(&mut self) -> u16 {
        if self.careful {
            return match self.chance.below(8) {
                0 => FRAMES + self.chance.below(4) as u16,
                1 | 2 => FIRST_DATA + self.chance.below(DATA.into()) as u16,
                _ => self.data(),
            };
        }
        match self.chance.below(24) {
            0 => self.chance.below(FIRST_DATA.into()) as u16,
            1 | 2 => FIRST_TABLE + self.chance.below(4) as u16,
            3 => FRAMES + self.chance.below(4) as u16,
            4 => SHARED + self.chance.below(2) as u16,
            5..=8 => FIRST_DATA + self.chance.below(DATA.into()) as u16,
            _ => self.data(),
        }
    }

    /// The slot of another domain, or the caller's own.
    pub fn slot(&mut self) -> u8 {
        self.chance.below(SLOTS.into()) as u8
    }

    fn flags(&mut self) -> u64 {
        match self.chance.below(10) {
            0..=2 => 5,
            3 => 0x67,
            4 => 5 | 1 << 63,
            5 => 1 << self.chance.below(12) | 1,
            6 => 0x107,
            _ => 7,
        }
    }

    fn domid(&mut self) -> Val {
        Val::Num(match self.chance.below(12) {
            0 => self.chance.of(&[0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4, 3, 0xffff]),
            1..=4 => DOMID_SELF.into(),
            _ => self.slot().into(),
        })
    }

    fn array(&mut self, of: Option<&Kind>) -> Val {
        let at = ROOM + self.arrays * EACH;
        self.arrays = (self.arrays + 1) % 8;
        for i in 0..4 {
            if let Some(kind) = of {
                let value = self.value(*kind);
                self.mem.push(Put::Word(at + i * 8, 8, value));
            }
        }
        Val::Arg(at)
    }

    /// A text with its zero.
    fn text(&mut self, all: &[&str]) -> Val {
        let text = self.chance.of(all);
        let at = self.array(None);
        let Val::Arg(base) = at else { return at };
        self.text = text.len() as u64 + 1;
        for (i, part) in (0..).zip(text.as_bytes().chunks(7)) {
            // Seven bytes at a time: the eighth is the zero, or overwritten.
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            let word = Val::Num(u64::from_le_bytes(word));
            self.mem.push(Put::Word(base + i * 7, 8, word));
        }
        at
    }

    /// An array of simple calls.
    fn calls(&mut self) -> Val {
        const SIMPLE: &[u32] = &[
            nr::UPDATE_VA_MAPPING,
            nr::UPDATE_VA_MAPPING,
            nr::SCHED_OP,
            nr::SET_TIMER_OP,
            nr::FPU_TASKSWITCH,
            nr::MULTICALL,
            nr::XEN_VERSION,
        ];
        for i in 0..4 {
            let at = ROOM + 64 * i;
            let call = self.chance.of(SIMPLE);
            let args = match call {
                nr::UPDATE_VA_MAPPING => [Kind::Hole, Kind::Pte, Kind::Below(8)],
                nr::SCHED_OP => [Kind::Is(0); 3],
                nr::SET_TIMER_OP => [Kind::Soon; 3],
                _ => [Kind::Below(2); 3],
            };
            self.mem.push(Put::Word(at, 8, Val::Num(call.into())));
            for (n, kind) in (0..).zip(args) {
                let value = self.value(kind);
                self.mem.push(Put::Word(at + 16 + 8 * n, 8, value));
            }
        }
        Val::Arg(ROOM)
    }

    /// A value for something of this kind.
    pub fn value(&mut self, kind: Kind) -> Val {
        if self.chance.once_in(24) {
            return Val::Num(self.chance.of(HOSTILE));
        }
        let own = self.who.slot;
        match kind {
            Kind::Domid => self.domid(),
            Kind::Port => Val::Num(1 + self.chance.below(8)),
            Kind::Gref => Val::Num(8 + self.chance.below(8)),
            Kind::Handle => Val::Num(self.chance.below(6)),
            Kind::Mfn => Val::Mfn(own, self.frame()),
            Kind::AnyMfn => Val::Mfn(self.slot(), self.frame()),
            Kind::Pte if self.chance.once_in(6) => Val::Num(0),
            Kind::Pte => {
                let slot = if self.chance.once_in(5) {
                    self.slot()
                } else {
                    own
                };
                Val::Pte(slot, self.frame(), self.flags())
            }
            Kind::Entry => {
                let n = match self.chance.below(3) {
                    0 if self.careful => {
                        let at = 100 + self.chance.below(8) as u16;
                        return Val::Entry(own, FIRST_TABLE + self.chance.below(4) as u16, at, 0);
                    }
                    0 => FIRST_TABLE + self.chance.below(4) as u16,
                    _ => self.data(),
                };
                let slot = match self.chance.below(16) {
                    0 => 255 + self.chance.below(18) as u16,
                    1 => 511,
                    at => at as u16 % 5 + if self.chance.once_in(4) { FRAMES } else { 0 },
                };
                Val::Entry(own, n, slot, self.chance.of(&[0, 0, 0, 2, 1, 3]))
            }
            Kind::Va => Val::Data(self.data(), self.chance.of(&[0, 0, 8, 64, 4088])),
            Kind::Hole if self.chance.once_in(3) => Val::Data(self.data(), 0),
            Kind::Hole => Val::Data(FRAMES + self.chance.below(SPARE.into()) as u16, 0),
            Kind::Gaddr if self.chance.once_in(4) => Val::Num(u64::MAX),
            Kind::Gaddr => Val::Entry(own, self.data(), self.chance.of(&[0, 8, 505]), 0),
            Kind::Array(of) => self.array(Some(of)),
            Kind::Buffer => self.array(None),
            Kind::Text(all) => self.text(all),
            Kind::Length => Val::Num(self.text),
            Kind::Calls => self.calls(),
            Kind::Count => Val::Num(self.chance.of(&[1, 1, 1, 2, 3, 4, 0])),
            Kind::Vcpu => Val::Num(self.chance.of(&[0, 0, 0, 1, 1, 1, 2, 32])),
            Kind::Cpu => Val::Num(self.chance.below(4)),
            Kind::Below(n) => Val::Num(self.chance.below(n.into())),
            Kind::Of(all) => Val::Num(self.chance.of(all)),
            Kind::Bits(mask) => Val::Num(self.chance.bits() & mask),
            Kind::Soon => Val::Soon(self.chance.of(&[0, 500, 20_000, 300_000, 3_000_000])),
            Kind::Any => Val::Num(self.chance.bits() >> self.chance.below(64)),
            Kind::Is(n) => Val::Num(n),
        }
    }

    /// Puts an operation's argument at byte `base` of the argument pages.
    fn fields(&mut self, base: u16, fields: &[Field]) {
        if fields.is_empty() {
            for i in 0..self.chance.below(4) as u16 {
                let value = self.value(Kind::Below(4));
                self.mem.push(Put::Word(base + 4 * i, 4, value));
            }
        }
        for field in fields {
            let value = self.value(field.kind);
            self.mem.push(Put::Word(base + field.at, field.size, value));
        }
    }

    fn end(self, nr: u32, op: u32, args: Vec<Val>) -> Op {
        Op::Call {
            nr: nr as u16,
            op,
            args,
            mem: self.mem,
        }
    }

    /// An operation of a family, on domain `target` where it names one.
    pub fn operation(mut self, family: &Family, op: u32, target: Option<u64>) -> Op {
        let fields = shape(family.nr, op);
        let number = Val::Num(op.into());
        let at = match self.chance.below(32) {
            0 => self.value(Kind::Any),
            1 => Val::Arg(ARGS - 4),
            _ => Val::Arg(0),
        };
        self.mem.push(Put::Zero(0, 160));
        let args = match family.form {
            Form::Pointer => vec![number, at],
            Form::Array => vec![number, at, self.count()],
            Form::Vcpu => vec![number, self.value(Kind::Vcpu), at],
            Form::List => {
                self.mem.push(Put::Word(0, 4, number));
                vec![at, self.count(), Val::Num(0), Val::Num(DOMID_SELF.into())]
            }
            Form::Versioned(version) => {
                self.mem.push(Put::Word(0, 4, number));
                self.mem.push(Put::Word(4, 4, Val::Num(version.into())));
                vec![at]
            }
        };
        let base = match family.form {
            Form::Versioned(_) if family.nr == nr::DOMCTL => {
                let target = target.map_or_else(|| self.domid(), Val::Num);
                self.mem.push(Put::Word(8, 2, target));
                16
            }
            Form::Versioned(_) => 8,
            _ => 0,
        };
        self.fields(base, fields);
        self.end(family.nr, op, args)
    }

    /// Mostly one: the others would be what is left in memory from before.
    fn count(&mut self) -> Val {
        Val::Num(self.chance.of(&[1, 1, 1, 1, 1, 1, 0, 2]))
    }

    /// A call without operations.
    pub fn plain(mut self, nr: u32, kinds: &[Kind]) -> Op {
        let args = kinds.iter().map(|kind| self.value(*kind)).collect();
        self.end(nr, 0, args)
    }
}
