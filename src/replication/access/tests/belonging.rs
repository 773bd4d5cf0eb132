//! Who belongs to the group, by certificate, secret or address.

use super::*;

#[tokio::test]
async fn who_belongs_to_the_group_gets_the_log() {
    let authority = Authority::new();
    let both = || tls(authority.good()).with_secret(SECRET);
    for (master, slave) in [
        (Access::default(), Access::default()),
        (secret(SECRET), secret(SECRET)),
        (tls(authority.good()), tls(authority.good())),
        (both(), both()),
    ] {
        try_out(master, slave).await.unwrap();
    }
}

#[tokio::test]
async fn a_wrong_or_missing_secret_is_refused_with_or_without_tls() {
    let authority = Authority::new();
    for base in [Access::default(), tls(authority.good())] {
        let right = base.clone().with_secret(SECRET);
        let wrong = base.clone().with_secret("as long as it has to Be");
        let met = try_out(right.clone(), wrong).await;
        assert_refused(met, "the group secret of the slave is not that of the master");
        assert_refused(try_out(right.clone(), base.clone()).await, "the slave shows no group secret");
        assert_refused(try_out(base, right).await, "the slave has a group secret, the master has none");
    }
}

#[tokio::test]
async fn a_master_of_another_authority_or_another_name_is_refused() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    assert_refused(try_out(tls(theirs.good()), tls(ours.good())).await, "UnknownIssuer");
    let other = ours.issue("other.example", (-1, 30));
    let other = Access::default().with_tls(other, "other.example").unwrap();
    assert_refused(try_out(other, tls(ours.good())).await, "not valid for name");
}

#[tokio::test]
async fn plain_text_and_tls_do_not_mix() {
    let authority = Authority::new();
    let met = try_out(Access::default(), tls(authority.good())).await;
    assert_refused(met, "the master hung up during the TLS handshake: is it without TLS?");
    let met = try_out(tls(authority.good()), Access::default()).await;
    assert_refused(met, "does it want TLS?");
}

#[tokio::test]
async fn plain_text_does_not_leave_the_machine() {
    let mut slave = Node::new(secret(SECRET));
    let mut master = Node::new(secret(SECRET));
    let met = meet(&mut master, &mut slave, "tcp://192.0.2.1:62621").await;
    assert_refused(met, "192.0.2.1 is no loopback address and this node has neither");
    assert_eq!(Access::default().with_plain_text_anywhere().allows([192, 0, 2, 1].into()), Ok(()));
}

/// What a connection to a TLS port with this certificate gets to read after its first words.
async fn intrude(address: &str, config: ClientConfig) -> Result<Vec<u8>, std::io::Error> {
    let stream = TcpStream::connect(address.strip_prefix("tcp://").unwrap()).await.unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    let mut read = vec![0; 64];
    let count = tokio::time::timeout(LIMIT, stream.read(&mut read)).await.expect("an answer in time")?;
    read.truncate(count);
    Ok(read)
}

#[tokio::test]
async fn a_slave_without_a_certificate_or_with_a_bad_one_reads_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (_master, address) = Node::bound(tls(ours.good())).await;
    let client = || ClientConfig::builder().with_root_certificates(ours.roots());
    let shows = |files: TlsFiles| {
        let (chain, key) = pair(&files);
        client().with_client_auth_cert(chain, key).unwrap()
    };
    // The tap works: a right one hears HTTP/2.
    assert!(!intrude(&address, shows(ours.good())).await.unwrap().is_empty());
    for (config, alert) in [
        (client().with_no_client_auth(), "CertificateRequired"),
        (shows(theirs.good()), "UnknownCA"),
        (shows(ours.expired()), "CertificateExpired"),
    ] {
        let error = intrude(&address, config).await.unwrap_err().to_string();
        assert!(error.contains(alert), "{error}");
    }
}

#[tokio::test]
async fn a_slave_whose_certificate_the_master_does_not_trust_hears_why() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let files = TlsFiles { ca: theirs.path("both.pem"), ..theirs.good() };
    let both = [&ours, &theirs].map(|it| std::fs::read_to_string(it.path("ca.pem")).unwrap()).concat();
    std::fs::write(&files.ca, both).unwrap();
    assert_refused(try_out(tls(ours.good()), tls(files)).await, "UnknownCA");
}

#[tokio::test]
async fn a_master_whose_certificate_has_expired_is_refused() {
    let authority = Authority::new();
    let (chain, key) = pair(&authority.expired());
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        TlsAcceptor::from(Arc::new(config)).accept(stream).await.is_ok()
    });
    let mut nobody = Node::new(Access::default());
    let met = meet(&mut nobody, &mut Node::new(tls(authority.good())), &address).await;
    assert_refused(met, "expired");
    assert!(!served.await.unwrap());
}

#[tokio::test]
async fn bad_files_are_told_at_the_start() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = ours.good();
    let told = |files: TlsFiles, name: &str| Access::default().with_tls(files, name).unwrap_err().to_string();
    let mixed = TlsFiles { ca: theirs.path("ca.pem"), ..good.clone() };
    assert!(told(mixed, "127.0.0.1").contains("UnknownIssuer"));
    let mixed = TlsFiles { key: theirs.good().key, ..good.clone() };
    assert!(told(mixed, "127.0.0.1").contains("keys may not be consistent"));
    assert!(told(ours.expired(), "127.0.0.1").contains("expired"));
    assert!(told(good.clone(), "127.0.0.2").contains("not valid for name"));
    let absent = TlsFiles { key: ours.path("absent.key"), ..good.clone() };
    assert!(told(absent, "127.0.0.1").contains("absent.key: "));
    let no_certificate = TlsFiles { certificate: good.key.clone(), ..good };
    assert!(told(no_certificate, "127.0.0.1").contains("no certificate in it"));
}

#[tokio::test]
async fn certificates_are_read_again_when_they_change_and_broken_ones_are_not_taken() {
    let (ours, next) = (Authority::new(), Authority::new());
    let (master_files, slave_files) = (ours.good(), ours.issue("localhost", (-1, 30)));
    let slave_access = Access::default().with_tls(slave_files.clone(), "localhost").unwrap();
    let (mut master, address) = Node::bound(tls(master_files.clone())).await;
    let mut slave = Node::new(slave_access);
    meet(&mut master, &mut slave, &address).await.unwrap();

    std::fs::write(&master_files.key, "not a key").unwrap();
    meet(&mut master, &mut slave, &address).await.expect("the ones before stay");

    // Another authority: with both nodes moved to it they still meet, and whoever stayed is out.
    let moved = |to: &TlsFiles, from: TlsFiles| {
        std::fs::copy(from.certificate, &to.certificate).unwrap();
        std::fs::copy(from.key, &to.key).unwrap();
        to.clone()
    };
    moved(&master_files, next.good());
    std::fs::copy(next.path("ca.pem"), &master_files.ca).unwrap();
    // Both nodes' files name the same ca.pem; the slave's own certificate is still of the old authority: it keeps all.
    assert_refused(meet(&mut master, &mut slave, &address).await, "UnknownIssuer");
    moved(&slave_files, next.issue("localhost", (-1, 30)));
    meet(&mut master, &mut slave, &address).await.unwrap();
}
