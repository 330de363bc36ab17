//! How it is told that the answer to a refresh has arrived.
//!
//! An access token that is handed out together with a refresh token says in its `jti` which one
//! that was. Whoever uses the access token has got the answer, and so has the refresh token. The
//! `jti` stays a UUID v7 with 42 random bits for each millisecond (RFC 9562, 5.7), and is no secret.
//!
//! It is told by this mark and not by the time of issue, since an access token that is made for the
//! holder of the cookies of before (`GET /api/auth/token`) may be younger than an answer that got
//! lost; and so no clock of any node has a say in it.

use uuid::Uuid;

/// Names a refresh token among those of its session, in 31 bits of its row's id.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Receipt(i32);

/// Set in the last byte of a `jti` that carries a receipt, and not set in any other.
const CARRIED: u8 = 1;

impl Receipt {
    /// The receipt of the refresh token in the row with this id, whose last bytes are random.
    pub fn of(row: Uuid) -> Self {
        Self::from_last_bytes(row)
    }

    /// The receipt in this `jti`, if it carries one.
    pub fn read(jti: Uuid) -> Option<Self> {
        let [.., last] = *jti.as_bytes();
        (last & CARRIED != 0).then(|| Self::from_last_bytes(jti))
    }

    /// This `jti`, so that it carries the receipt, or none.
    pub fn mark(jti: Uuid, receipt: Option<Self>) -> Uuid {
        let mut bytes = *jti.as_bytes();
        match receipt {
            Some(Self(number)) => {
                let marked = number.cast_unsigned() << 1 | u32::from(CARRIED);
                bytes[12..].copy_from_slice(&marked.to_be_bytes());
            }
            None => bytes[15] &= !CARRIED,
        }
        Uuid::from_bytes(bytes)
    }

    /// As it is kept; never negative.
    pub fn number(self) -> i32 {
        self.0
    }

    /// From what was kept.
    pub fn from_number(number: i32) -> Self {
        Self(number)
    }

    fn from_last_bytes(id: Uuid) -> Self {
        let [.., a, b, c, d] = *id.as_bytes();
        Self((u32::from_be_bytes([a, b, c, d]) >> 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Receipt;

    #[test]
    fn a_marked_jti_tells_its_receipt_and_stays_a_uuid_v7_of_its_instant() {
        let jti = Uuid::from_u128(0x0189_0000_0001_7abc_8def_0123_4567_89ab);
        for last in [0_u128, 1, 2, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] {
            let row = Uuid::from_u128(0x0190_0000_0002_7000_8000_0000_0000_0000 | last);
            let receipt = Receipt::of(row);
            assert!(receipt.number() >= 0);
            assert_eq!(Receipt::from_number(receipt.number()), receipt);
            let marked = Receipt::mark(jti, Some(receipt));
            assert_eq!(Receipt::read(marked), Some(receipt), "{last:x}");
            assert_eq!(marked.as_bytes()[..12], jti.as_bytes()[..12]);
            assert_eq!(marked.get_version_num(), 7);
            assert_eq!(marked.get_variant(), uuid::Variant::RFC4122);
        }
    }

    #[test]
    fn any_other_jti_tells_of_none() {
        for last in [0xab, 0xaa] {
            let jti = Uuid::from_u128(0x0189_0000_0001_7abc_8def_0123_4567_8900 | last);
            assert_eq!(Receipt::read(Receipt::mark(jti, None)), None);
        }
    }
}
