//! Keys and records. That others verify what they sign is tested with the verifiers themselves, in `tests/it`.

use super::*;

/// The Ed25519 key of RFC 8463 appendix A.2 as PKCS#8.
const RFC_8463: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";

#[test]
fn the_record_of_a_known_key_is_that_of_the_specification() {
    let key = SigningKey::from_pem("football.example.com", "brisbane", RFC_8463).unwrap();
    assert_eq!(key.record(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    assert_eq!(key.record_name(), "brisbane._domainkey.football.example.com");
    assert_eq!(key.algorithm().tag(), "ed25519-sha256");
    assert!(!format!("{key:?}").contains("nWGx"));
}

#[test]
fn a_new_key_reads_back_and_its_record_is_split_where_dns_wants_it() {
    for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
        let pem = algorithm.generate().unwrap();
        assert!(pem.lines().all(|line| line.len() <= 64), "{algorithm:?}");
        let key = SigningKey::from_pem("example.org", "a", &pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let line = key.zone_line();
        assert!(line.starts_with("a._domainkey.example.org. IN TXT ( \"v=DKIM1; k="), "{line}");
        let strings: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
        assert!(strings.iter().all(|string| string.len() <= 255));
        assert_eq!(strings.concat(), key.record());
        assert_eq!(strings.len(), if algorithm == Algorithm::Rsa { 2 } else { 1 });
    }
}

#[test]
fn what_is_no_key_is_refused_with_the_reason() {
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n";
    let garbage = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (text, error) in [("", KeyError::NotPem), (public, KeyError::NotPem), (garbage, KeyError::Unfit)] {
        assert_eq!(SigningKey::from_pem("example.org", "a", text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn each_newsletter_has_its_own_keys_and_rsa_stands_first() {
    let mut signers = Signers::default();
    let key = |selector: &str, pem: &str| SigningKey::from_pem("example.org", selector, pem).unwrap();
    let (a, b) = (NewsletterId::parse("a").unwrap(), NewsletterId::parse("b").unwrap());
    signers.insert(a.clone(), vec![key("e", RFC_8463), key("r", &Algorithm::Rsa.generate().unwrap())]);
    let selectors: Vec<&str> = signers.of(&a).iter().map(|key| key.selector()).collect();
    assert_eq!(selectors, ["r", "e"]);
    assert!(signers.of(&b).is_empty());
}
