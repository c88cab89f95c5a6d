//! Layouts of `hvm::save_devices`, as a C compiler lays out the public headers.

use xen_abi::hvm::save_devices::*;

layouts! {
    HvmHwVpic: 8 { irr: 0, imr: 1, isr: 2, irq_base: 3, init_priority: 4, modes: 5, elcr: 6, int_output: 7 }
    HvmHwVioapicFields: 8 { vector: 0, bits: 1, bits1: 2, reserved: 3, dest_id: 7 }
    HvmHwVioapic: 400 { base_address: 0, ioregsel: 8, id: 12, redirtbl: 16 }
    HvmHwLapic: 32 { apic_base_msr: 0, disabled: 8, timer_divisor: 12, tdt_msr: 16, pending_esr: 24 }
    HvmHwLapicRegs: 1024 { data: 0 }
    HvmHwPciIrqs: 16 { i: 0 }
    HvmHwIsaIrqs: 8 { i: 0 }
    HvmHwPciLink: 8 { route: 0, pad0: 4 }
    HvmHwPitChannel: 16 { count: 0, latched_count: 4, count_latched: 6, status_latched: 7, status: 8, read_state: 9, write_state: 10, write_latch: 11, rw_mode: 12, mode: 13, bcd: 14, gate: 15 }
    HvmHwPit: 56 { channels: 0, speaker_data_on: 48, pad0: 52 }
    HvmHwRtc: 24 { cmos_data: 0, cmos_index: 14, pad0: 15, rtc_offset: 16 }
    HvmHwHpetTimers: 32 { config: 0, cmp: 8, fsb: 16, res4: 24 }
    HvmHwHpet: 1048 { capability: 0, res0: 8, config: 16, res1: 24, isr: 32, res2: 40, mc64: 240, res3: 248, timers: 256, res5: 352, period: 1024 }
    HvmHwPmtimer: 8 { tmr_val: 0, pm1a_sts: 4, pm1a_en: 6 }
}
