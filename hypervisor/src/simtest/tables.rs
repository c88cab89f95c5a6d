//! Page tables under fire: vCPUs that change, pin, unpin and load tables made of one small pool
//! of frames, at random, interrupted at random. The simulated machine's oracle watches every
//! access; afterwards the tables are audited and every reference is counted.

use super::bed::*;
use super::guest::*;
use alloc::vec::Vec;
use machine::arch::sim::{GuestCpu, GuestOp, for_seeds, random};
use xen_abi::mmu::*;

/// A step of a plan, which touches a data frame by its number among all frames.
#[derive(Clone, Copy)]
enum Step {
    /// Writes a would-be entry by the frame's own mapping.
    Fill(usize, u64, u64),
    /// Changes the frame's own mapping to these flags.
    Map(usize, u64),
    /// Pins it as a table of this level (counted from 0).
    Pin(usize, u32),
    Unpin(usize),
    /// Sets an entry of it.
    Update(usize, u64, u64),
    /// Makes it the table of the last slots of a table of the live tree: level, slot.
    Link(usize, usize, u64),
    /// Takes that away.
    Unlink(usize, u64),
    /// Touches what the link made reachable.
    Touch(usize, u64, bool),
}

/// Machine address of an entry.
fn entry_at(frame: u64, slot: u64) -> u64 {
    (frame << 12) | (slot * 8)
}

struct Fuzz {
    rng: u64,
    left: u32,
    cpus: usize,
    /// Frames of the domain: those mapped from [`BASE`] on, then the tables.
    pool: Vec<u64>,
    /// Frames that are not its own: the hypervisor's, beyond RAM.
    others: Vec<u64>,
    plan: Vec<Step>,
}

impl Fuzz {
    fn pick(&mut self, n: usize) -> usize {
        (random(&mut self.rng) >> 16) as usize % n
    }

    /// A frame that is neither stack nor argument page: few, so that vCPUs meet.
    fn data(&mut self) -> usize {
        2 * self.cpus + self.pick(6)
    }

    fn frame(&mut self) -> u64 {
        match self.pick(30) {
            0 => {
                let at = self.pick(self.others.len());
                self.others[at]
            }
            n @ 1..=4 => self.pool[FRAMES + n - 1],
            _ => {
                let at = self.data();
                self.pool[at]
            }
        }
    }

    /// Slots of which a table's first few entries are used, and the hypervisor's border.
    fn slot(&mut self) -> u64 {
        match self.pick(16) {
            0 => 255 + self.pick(18) as u64,
            1 => 511,
            n => n as u64 % 4,
        }
    }

    fn entry(&mut self) -> u64 {
        let flags = match self.pick(12) {
            0 => return 0,
            1..=4 => 5,
            5 => 0x67,
            6 => 5 | 1 << 63,
            7 => 1 << self.pick(12) | 1,
            _ => RWU,
        };
        self.frame() << 12 | flags
    }

    /// Makes a frame a table of some level, uses it, and makes it a plain page again; other
    /// vCPUs do the same with the same frames.
    fn make_plan(&mut self) {
        let (n, level) = (self.data(), self.pick(3));
        let link = 100 + self.pick(4) as u64;
        let write = self.pick(2) == 0;
        // In reverse: the plan is taken from its end.
        self.plan.extend([
            Step::Touch(level, link, write),
            Step::Map(n, RWU),
            Step::Unpin(n),
            Step::Touch(level, link, write),
            Step::Unlink(level, link),
            Step::Touch(level, link, write),
        ]);
        for _ in 0..self.pick(4) {
            let update = Step::Update(n, self.slot(), self.entry());
            self.plan.push(update);
        }
        self.plan
            .extend([Step::Link(n, level, link), Step::Pin(n, level as u32)]);
        let hidden = [0, 5, 5][self.pick(3)];
        self.plan.push(Step::Map(n, hidden));
        for _ in 0..self.pick(4) {
            let lower = if level == 0 {
                self.entry()
            } else {
                // Read-only it may name a table of the same level, too.
                self.frame() << 12 | [RWU, RWU, 5][self.pick(3)]
            };
            let fill = Step::Fill(n, self.slot(), lower);
            self.plan.push(fill);
        }
        self.plan.push(Step::Map(n, RWU));
    }

    /// The live table above one of `level` (from 0), and its slot that leads to `link`.
    fn above(&self, level: usize) -> u64 {
        self.pool[FRAMES + 2 - level]
    }

    fn step(&mut self, g: &GuestCpu<'_>, step: Step) -> GuestOp {
        let at = args(self.cpus, g.cpu);
        match step {
            Step::Fill(n, slot, value) => GuestOp::Write {
                va: va(n) + slot * 8,
                size: 8,
                value,
            },
            Step::Map(n, flags) => {
                let flush = [UVMF_INVLPG | UVMF_ALL, UVMF_INVLPG, 0][self.pick(3)];
                update_va(
                    va(n),
                    if flags == 0 {
                        0
                    } else {
                        self.pool[n] << 12 | flags
                    },
                    flush,
                )
            }
            Step::Pin(n, level) => mmuext(g, at, MMUEXT_PIN_L1_TABLE + level, self.pool[n], 0),
            Step::Unpin(n) => mmuext(g, at, MMUEXT_UNPIN_TABLE, self.pool[n], 0),
            Step::Update(n, slot, value) => {
                mmu_update(g, at, &[(entry_at(self.pool[n], slot), value)])
            }
            Step::Link(n, level, slot) => {
                let ptr = entry_at(self.above(level), slot);
                mmu_update(g, at, &[(ptr, self.pool[n] << 12 | RWU)])
            }
            Step::Unlink(level, slot) => {
                mmu_update(g, at, &[(entry_at(self.above(level), slot), 0)])
            }
            Step::Touch(level, slot, write) => {
                let low = (0..level).fold(0, |va, l| va | (self.pick(4) as u64) << (12 + 9 * l));
                let va = slot << (21 + 9 * level) | low | (self.pick(4) as u64) << 12;
                if write {
                    GuestOp::Write {
                        va,
                        size: 8,
                        value: self.entry(),
                    }
                } else {
                    GuestOp::Read { va, size: 8 }
                }
            }
        }
    }

    fn op(&mut self, g: &mut GuestCpu<'_>) -> GuestOp {
        if self.left == 0 {
            return block();
        }
        self.left -= 1;
        if self.left == 0 {
            // What a refused operation left, interrupted, is worked off by the vCPU's next one;
            // until then others that want the same frame wait.
            return mmuext(g, args(self.cpus, g.cpu), MMUEXT_TLB_FLUSH_LOCAL, 0, 0);
        }
        if self.pick(4) != 0 {
            if self.plan.is_empty() {
                self.make_plan();
            }
            if let Some(step) = self.plan.pop() {
                return self.step(g, step);
            }
        }
        let at = args(self.cpus, g.cpu);
        match self.pick(10) {
            0..=2 => {
                let n = 1 + self.pick(4);
                let cmd = [0, 0, 2, 1][self.pick(4)];
                let one = |f: &mut Fuzz| {
                    let data = f.data();
                    (entry_at(f.pool[data], f.slot()) | cmd, f.entry())
                };
                let updates: Vec<_> = (0..n).map(|_| one(self)).collect();
                mmu_update(g, at, &updates)
            }
            3 | 4 => {
                let cmd = [
                    MMUEXT_PIN_L4_TABLE,
                    MMUEXT_UNPIN_TABLE,
                    MMUEXT_NEW_USER_BASEPTR,
                    MMUEXT_CLEAR_PAGE,
                    MMUEXT_COPY_PAGE,
                    MMUEXT_SET_LDT,
                ][self.pick(6)];
                let (a, b) = match cmd {
                    MMUEXT_SET_LDT => (va(self.data()), 512),
                    _ => (self.frame(), self.frame()),
                };
                mmuext(g, at, cmd, a, b)
            }
            5..=8 => {
                let va = va(self.data()) + self.slot() * 8;
                if self.pick(2) == 0 {
                    GuestOp::Read { va, size: 8 }
                } else {
                    GuestOp::Write {
                        va,
                        size: 8,
                        value: self.entry(),
                    }
                }
            }
            _ => GuestOp::Work { ns: 1_000 },
        }
    }
}

fn fuzz(seed: u64, cpus: usize, ops: u32) {
    let bed = Bed::new(cpus);
    install_handler(&bed);
    bed.machine
        .set_patience([None, Some(2), Some(5)][seed as usize % 3]);
    let pool: Vec<u64> = bed
        .frames
        .iter()
        .chain(&bed.tables)
        .map(|mfn| mfn.0)
        .collect();
    let others = alloc::vec![
        0,
        3,
        bed.dom.shared_info.mfn().0,
        bed.mem().max_mfn().0,
        (1 << 40) - 1
    ];
    let mut each: Vec<Fuzz> = (0..cpus as u64)
        .map(|cpu| Fuzz {
            rng: seed
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .wrapping_add(cpu * 77 + 1)
                | 1,
            left: ops,
            cpus,
            pool: pool.clone(),
            others: others.clone(),
            plan: Vec::new(),
        })
        .collect();
    bed.machine
        .program(PROGRAM, move |g| Some(each[g.cpu as usize].op(g)));
    bed.run(seed);
    bed.machine.audit().unwrap();
    bed.count_out();
}

#[test]
fn one_vcpu() {
    for_seeds(300, |seed| fuzz(seed, 1, 400));
}

#[test]
fn three_vcpus() {
    for_seeds(300, |seed| fuzz(seed, 3, 400));
}
