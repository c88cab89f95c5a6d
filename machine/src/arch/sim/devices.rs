//! Ports, model-specific registers and CPUID as tables, and the state of the few devices.

use super::ioapic::RouteEntry;
use super::iommu::Iommu;
use super::rtc;
use super::std::collections::{BTreeMap, VecDeque};
use crate::txqueue::TxQueue;
use alloc::vec::Vec;

/// The tables. A port that is not in its table reads as all ones and takes writes; a register
/// that is not in its table faults.
pub(super) struct Devices {
    pub ports: BTreeMap<u16, u32>,
    pub port_writes: Vec<(u16, u8, u32)>,
    /// PCI configuration space: doublewords by the address port's value without its enable bit.
    pub config: BTreeMap<u32, u32>,
    pub config_address: u32,
    pub msrs: BTreeMap<u32, u64>,
    pub cpuid: BTreeMap<(u32, u32), [u32; 4]>,
    pub routes: BTreeMap<u32, RouteEntry>,
    pub iommu: Iommu,
    /// Memory-mapped registers by machine address.
    pub registers: BTreeMap<u64, u32>,
    pub console_out: Vec<u8>,
    pub console_queue: TxQueue,
    /// Bytes that the line takes at a time; `None` for all.
    pub console_room: Option<usize>,
    pub console_in: VecDeque<u8>,
    /// Seconds since 1970 when the machine's clock stood at zero.
    pub rtc_at_boot: u64,
}

const CONFIG_ADDRESS: u16 = 0xcf8;
const CONFIG_DATA: u16 = 0xcfc;
const EFER: u32 = 0xc000_0080;

impl Devices {
    pub fn new() -> Devices {
        let mut cpuid = BTreeMap::new();
        // A plain 64-bit processor: "GenuineIntel", family 6, with XSAVE, SMEP, SMAP, FSGSBASE.
        cpuid.insert((0, 0), [0xd, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]);
        cpuid.insert((1, 0), [0x0006_0fb1, 0x0001_0800, 0x9e98_2201, 0x078b_fbfd]);
        cpuid.insert((7, 0), [0, 0x0018_0081, 0, 0]);
        cpuid.insert((0xd, 0), [7, 832, 832, 0]);
        cpuid.insert((0xd, 2), [256, 576, 0, 0]);
        cpuid.insert((0x8000_0000, 0), [0x8000_0008, 0, 0, 0]);
        cpuid.insert((0x8000_0001, 0), [0, 0, 0x21, 0x2c10_0800]);
        cpuid.insert((0x8000_0008, 0), [0x3028, 0, 0, 0]);
        let msrs = BTreeMap::from([
            (EFER, 0xd01),
            (0x1b, 0xfee0_0900),
            (0x277, 0x0500_0107_0406),
        ]);
        Devices {
            ports: BTreeMap::new(),
            port_writes: Vec::new(),
            config: BTreeMap::new(),
            config_address: 0,
            msrs,
            cpuid,
            routes: BTreeMap::new(),
            iommu: Iommu::default(),
            registers: BTreeMap::new(),
            console_out: Vec::new(),
            console_queue: TxQueue::new(),
            console_room: None,
            console_in: VecDeque::new(),
            rtc_at_boot: rtc::START,
        }
    }

    pub fn port_in(&self, port: u16, bytes: u8) -> u32 {
        let mask = size_mask(bytes);
        if let Some((at, shift)) = self.config_at(port) {
            return self
                .config
                .get(&at)
                .map_or(mask, |word| word >> shift & mask);
        }
        self.ports.get(&port).map_or(mask, |value| value & mask)
    }

    pub fn port_out(&mut self, port: u16, bytes: u8, value: u32) {
        let mask = size_mask(bytes);
        self.port_writes.push((port, bytes, value & mask));
        if port == CONFIG_ADDRESS {
            self.config_address = value;
        }
        if let Some((at, shift)) = self.config_at(port)
            && let Some(word) = self.config.get_mut(&at)
        {
            *word = *word & !(mask << shift) | (value & mask) << shift;
        }
    }

    /// The doubleword of configuration space that a data port reaches, and the bit in it; `None`
    /// when the port is no data port, or no device was ever put anywhere.
    fn config_at(&self, port: u16) -> Option<(u32, u32)> {
        let offset = port.checked_sub(CONFIG_DATA).filter(|&offset| offset < 4)?;
        let on = self.config_address >> 31 != 0 && !self.config.is_empty();
        on.then_some((self.config_address & 0xff_fffc, 8 * u32::from(offset)))
    }

    pub fn cpuid(&self, leaf: u32, subleaf: u32) -> [u32; 4] {
        let exact = self.cpuid.get(&(leaf, subleaf));
        let plain = || match leaf {
            4 | 7 | 0xb | 0xd => None,
            _ => self.cpuid.get(&(leaf, 0)),
        };
        exact.or_else(plain).copied().unwrap_or_default()
    }
}

fn size_mask(bytes: u8) -> u32 {
    match bytes {
        1 => 0xff,
        2 => 0xffff,
        _ => u32::MAX,
    }
}
