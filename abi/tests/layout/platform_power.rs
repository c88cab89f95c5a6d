//! Layouts of `platform::power`, as a C compiler lays out the public headers.

use xen_abi::platform::power::*;

layouts! {
    ProcessorFlags: 4 { bits: 0 }
    ProcessorPower: 16 { count: 0, flags: 4, states: 8 }
    PctRegister: 16 { descriptor: 0, length: 2, space_id: 4, bit_width: 5, bit_offset: 6, reserved: 7, address: 8 }
    PsdPackage: 40 { num_entries: 0, revision: 8, domain: 16, coord_type: 24, num_processors: 32 }
    ProcessorPerformance: 104 { flags: 0, platform_limit: 4, control_register: 8, status_register: 24, state_count: 40, states: 48, domain_info: 56, shared_type: 96 }
    XenpfSetProcessorPminfo: 112 { id: 0, r#type: 4, u: 8 }
}
