//! Where a CPU is: which core of which package, from CPUID and the APIC's number.
//!
//! No state. Intel SDM 3A, "Programming Considerations for Hardware Multi-Threading Capable
//! Processors"; AMD APM 3, functions 0x80000008 and 0x8000001e.

use crate::hv::Hypervisor;
use machine::{Cpu, CpuApi, device};

/// How an APIC's number is made up, the same on all CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Bits of the thread within its core.
    thread_bits: u32,
    /// Bits of the thread within its package.
    package_bits: u32,
}

/// A CPU's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The core within its socket.
    pub core: u32,
    /// The socket.
    pub socket: u32,
}

/// Bits that number `n` things.
fn bits(n: u32) -> u32 {
    n.max(1).next_power_of_two().trailing_zeros()
}

impl Topology {
    /// As CPUID has it. `cpuid` is the instruction.
    pub fn detect(cpuid: impl Fn(u32, u32) -> [u32; 4]) -> Topology {
        let basic = cpuid(0, 0)[0];
        let extended = cpuid(0x8000_0000, 0)[0];
        if basic >= 0xb && cpuid(0xb, 0)[1] & 0xffff != 0 {
            return Self::by_levels(cpuid);
        }
        let [_, b, _, d] = cpuid(1, 0);
        if d >> 28 & 1 == 0 {
            return Topology::default();
        }
        if extended >= 0x8000_0008 && cpuid(0x8000_0008, 0)[2] & 0xf0ff != 0 {
            return Self::by_core_count(cpuid, extended);
        }
        let package_bits = bits(b >> 16 & 0xff);
        let cores = if basic >= 4 {
            (cpuid(4, 0)[0] >> 26).saturating_add(1)
        } else {
            1
        };
        Topology {
            thread_bits: package_bits.saturating_sub(bits(cores)),
            package_bits,
        }
    }

    /// Leaf 0xb: a list of levels, each with the bits below the next.
    fn by_levels(cpuid: impl Fn(u32, u32) -> [u32; 4]) -> Topology {
        const SMT: u32 = 1;
        let mut topology = Topology::default();
        for level in 0..8 {
            let [a, b, c, _] = cpuid(0xb, level);
            let kind = c >> 8 & 0xff;
            if b & 0xffff == 0 || kind == 0 {
                break;
            }
            if kind == SMT {
                topology.thread_bits = a & 0x1f;
            }
            topology.package_bits = topology.package_bits.max(a & 0x1f);
        }
        topology
    }

    /// AMD's leaves without leaf 0xb.
    fn by_core_count(cpuid: impl Fn(u32, u32) -> [u32; 4], extended: u32) -> Topology {
        let c = cpuid(0x8000_0008, 0)[2];
        let package_bits = match c >> 12 & 0xf {
            0 => bits((c & 0xff).saturating_add(1)),
            bits => bits,
        };
        let has_units = extended >= 0x8000_001e && cpuid(0x8000_0001, 0)[2] >> 22 & 1 != 0;
        let threads = if has_units {
            (cpuid(0x8000_001e, 0)[1] >> 8 & 0xff).saturating_add(1)
        } else {
            1
        };
        Topology {
            thread_bits: bits(threads).min(package_bits),
            package_bits,
        }
    }

    /// Where the CPU with this APIC number is.
    pub fn place(&self, apic_id: u32) -> Place {
        let socket = apic_id.checked_shr(self.package_bits).unwrap_or(0);
        let base = socket.checked_shl(self.package_bits).unwrap_or(0);
        Place {
            core: apic_id.saturating_sub(base) >> self.thread_bits,
            socket,
        }
    }
}

/// Where CPU `of` is; `None` when there is none.
pub fn place(hv: &Hypervisor, cpu: &Cpu, of: u32) -> Option<Place> {
    let apic_id = device::apic_id(of).filter(|_| of < hv.cpus)?;
    Some(Topology::detect(|leaf, sub| cpu.cpuid(leaf, sub)).place(apic_id))
}

/// Threads of CPU 0's core, and cores of its socket, as far as they are in use.
pub fn counts(hv: &Hypervisor, cpu: &Cpu) -> (u32, u32) {
    let Some(first) = place(hv, cpu, 0) else {
        return (1, 1);
    };
    let places = || (0..hv.cpus).filter_map(|of| place(hv, cpu, of));
    let threads = places().filter(|&other| other == first).count() as u32;
    let on_socket = places().filter(|other| other.socket == first.socket);
    let cpus = on_socket.count() as u32;
    let threads = threads.max(1);
    (threads, (cpus / threads).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(leaves: &'static [(u32, u32, [u32; 4])]) -> Topology {
        Topology::detect(|leaf, sub| {
            let found = leaves.iter().find(|row| (row.0, row.1) == (leaf, sub));
            found.map_or([0; 4], |row| row.2)
        })
    }

    #[test]
    fn levels_are_read_from_leaf_b() {
        // Two threads a core, eight cores.
        let topology = of(&[
            (0, 0, [0x16, 0, 0, 0]),
            (0xb, 0, [1, 2, 0x100, 0]),
            (0xb, 1, [4, 16, 0x201, 0]),
            (0xb, 2, [0, 0, 2, 0]),
        ]);
        assert_eq!(topology.place(0x13), Place { core: 1, socket: 1 });
        assert_eq!(topology.place(0x0f), Place { core: 7, socket: 0 });
    }

    #[test]
    fn amd_without_leaf_b() {
        let topology = of(&[
            (0, 0, [0xa, 0, 0, 0]),
            (1, 0, [0, 0x10_0000, 0, 1 << 28]),
            (0x8000_0000, 0, [0x8000_001e, 0, 0, 0]),
            (0x8000_0001, 0, [0, 0, 1 << 22, 0]),
            (0x8000_0008, 0, [0, 0, 0x4007, 0]),
            (0x8000_001e, 0, [0, 0x100, 0, 0]),
        ]);
        assert_eq!(topology.place(0x1b), Place { core: 5, socket: 1 });
    }

    #[test]
    fn without_any_of_it_each_cpu_is_a_socket() {
        assert_eq!(of(&[]).place(3), Place { core: 0, socket: 3 });
        // Intel's oldest way: 4 threads, 2 cores.
        let topology = of(&[
            (0, 0, [4, 0, 0, 0]),
            (1, 0, [0, 0x4_0000, 0, 1 << 28]),
            (4, 0, [1 << 26, 0, 0, 0]),
        ]);
        assert_eq!(topology.place(7), Place { core: 1, socket: 1 });
    }
}
