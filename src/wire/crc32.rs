//! CRC-32 (ISO 3309), as in gzip and Ethernet.

const POLYNOMIAL: u32 = 0xedb8_8320;

/// By the low four bits.
const TABLE: [u32; 16] = table();

const fn table() -> [u32; 16] {
    let (mut table, mut index) = ([0; 16], 0);
    while index < 16 {
        let (mut value, mut bit) = (index as u32, 0);
        while bit < 4 {
            value = if value & 1 == 1 { value >> 1 ^ POLYNOMIAL } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        let sum = sum ^ u32::from(*byte);
        let sum = sum >> 4 ^ TABLE[sum as usize & 15];
        sum >> 4 ^ TABLE[sum as usize & 15]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_catalogue_is_computed() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(&[0; 32]), 0x190a_55ad);
    }
}
