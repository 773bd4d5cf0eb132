//! The pages over a real socket, of a node that serves nobody.

use std::sync::Arc;

use crate::admin::door::tests::{fill, get, log_in, with_users};
use crate::admin::tests::{Console, console_with, figures};
use crate::broker::Figures;
use crate::model::DestinationKind;
use crate::node::{Alarm, ElectionStatus, GroupStatus, MemberStatus, Role, Snapshot, Status};

/// What would be run if it came to a page as it is.
const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>";

async fn console(figures: Figures) -> (Console, String) {
    let console = console_with(with_users(), figures).await;
    let cookie = log_in(&console, "anna", "anna").await.unwrap();
    (console, cookie)
}

/// What forms of that session have to show.
async fn form(console: &Console, cookie: &str) -> String {
    let (_, _, page) = get(console, "/admin/send", cookie).await;
    page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
}

fn assert_harmless(page: &str, what: &str) {
    let scripts = page.matches("<script").count();
    assert!(scripts <= 1 && !page.contains("<img") && !page.contains("\"'>"), "{what}: {page}");
    for inline in ["style=", "onerror=alert(1)>", "onclick", "javascript:", "http://www.", "https://"] {
        assert!(!page.contains(inline), "{what}: {inline}");
    }
}

#[tokio::test]
async fn what_strangers_have_named_stands_on_pages_as_text_only() {
    let (console, cookie) = console(figures(DestinationKind::Queue, &[HOSTILE, "Q"])).await;
    let hostile = HOSTILE.to_owned();
    let member =
        MemberStatus { node: hostile.clone(), reason: Some(hostile.clone()), ..MemberStatus::default() };
    let election = Some(ElectionStatus { reason: hostile.clone(), ..ElectionStatus::default() });
    let group =
        GroupStatus { members: vec![member], election, state: hostile.clone(), ..GroupStatus::default() };
    let alarm = Alarm { name: hostile.clone(), message: hostile.clone() };
    let status = Status {
        role: Role::Slave,
        node: format!("{HOSTILE}:1"),
        broker: hostile.clone(),
        master: Some(format!("{HOSTILE}:62621")),
        reason: Some(hostile.clone()),
        alarms: vec![alarm],
        listening: vec![hostile],
        ..Status::default()
    };
    console.now.send_replace(Arc::new(Snapshot { status, group: Some(group) }));
    let name: String = form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    for path in [
        "/",
        "/admin/queues",
        "/admin/topics",
        "/admin/subscriptions",
        "/admin/connections",
        "/admin/group",
        "/admin/send",
        &format!("/admin/queues?name={name}"),
        &format!("/admin/queues?sort={name}"),
        &format!("/admin/queues?after={name}"),
        &format!("/admin/queue?name={name}"),
        &format!("/admin/queue?name=x{name}"),
        &format!("/admin/purge?queue={name}"),
        &format!("/admin/remove?client_id={name}&name={name}"),
        &format!("/admin/send?name={name}"),
        &format!("/admin/messages?queue=x{name}&selector={name}"),
        &format!("/admin/message?queue={name}&id={name}"),
        &format!("/login?to={name}"),
    ] {
        let (_, _, page) = get(&console, path, &cookie).await;
        assert!(page.contains("</html>"), "{path}: {page}");
        assert_harmless(&page, path);
    }
    let (_, _, feed) = get(&console, "/admin/xml/queues.jsp", &cookie).await;
    assert!(feed.contains("&lt;script&gt;alert(1)") && !feed.contains("<script"), "{feed}");
    console.admin.stop().await;
}

#[tokio::test]
async fn every_page_forbids_frames_foreign_and_inline_code_and_is_not_kept() {
    let (console, cookie) = console(figures(DestinationKind::Queue, &["Q"])).await;
    for path in ["/", "/admin/queues", "/admin/queue?name=Q", "/login", "/admin/nothing", "/api/v1/broker"] {
        let (_, head, _) = get(&console, path, &cookie).await;
        let head = head.to_lowercase();
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self'; script-src 'self'",
            "frame-ancestors 'none'",
            "x-frame-options: deny",
            "x-content-type-options: nosniff",
            "referrer-policy: same-origin",
            "cache-control: no-store",
        ] {
            assert!(head.contains(header), "{path}: {header} is not in {head}");
        }
        assert!(!head.contains("unsafe"), "{head}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn forms_change_something_only_with_what_the_page_knew() {
    let (console, cookie) = console(figures(DestinationKind::Queue, &["Q"])).await;
    let right = form(&console, &cookie).await;
    let other = {
        let cookie = log_in(&console, "otto", "otto").await.unwrap();
        form(&console, &cookie).await
    };
    for (path, fields) in [
        ("/admin/purge", "queue=Q"),
        ("/admin/send", "kind=queue&name=Q&body=x&priority=4"),
        ("/admin/remove", "client_id=c&name=n"),
    ] {
        for wrong in [String::new(), "&form=".to_owned(), format!("&form={other}"), format!("&form={right}0")]
        {
            let (code, _, body) = fill(&console, path, &cookie, &format!("{fields}{wrong}")).await;
            assert!(
                code == 403 && body.contains("not from a page of your session"),
                "{path} {wrong}: {code}"
            );
        }
        // Nobody serves here: who is let through hears that.
        let (code, _, body) = fill(&console, path, &cookie, &format!("{fields}&form={right}")).await;
        assert!(code == 409 && body.contains("this node does not serve"), "{path}: {code} {body}");
        let (code, ..) = fill(&console, path, "", &format!("{fields}&form={right}")).await;
        assert_eq!(code, 303, "{path}: without the cookie it is nobody's form");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn a_viewers_forms_and_pages_do_not_change_anything() {
    let console = console_with(with_users(), figures(DestinationKind::Queue, &["Q"])).await;
    let cookie = log_in(&console, "vera", "arev").await.unwrap();
    let (_, _, page) = get(&console, "/admin/queue?name=Q", &cookie).await;
    assert!(page.contains("Browse messages") && !page.contains("Purge"), "{page}");
    let form = page.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    for path in ["/admin/send", "/admin/purge?queue=Q", "/admin/step-down"] {
        assert_eq!(get(&console, path, &cookie).await.0, 403, "{path}");
    }
    for path in ["/admin/send", "/admin/purge", "/admin/remove", "/admin/step-down"] {
        let body = format!("queue=Q&kind=queue&name=Q&form={form}");
        assert_eq!(fill(&console, path, &cookie, &body).await.0, 403, "{path}");
    }
    console.admin.stop().await;
}

#[tokio::test]
async fn lists_are_paged_filtered_and_sorted_and_a_queue_shows_its_counters() {
    let names: Vec<_> = (0..150).map(|number| format!("Q.{number:03}")).collect();
    let names: Vec<_> = names.iter().map(|name| &**name).collect();
    let (console, cookie) = console(figures(DestinationKind::Queue, &names)).await;
    let (_, _, page) = get(&console, "/admin/queues", &cookie).await;
    assert!(page.contains("150 queues") && page.contains(">Q.099<") && !page.contains(">Q.100<"), "{page}");
    let next = page.split("href=\"").find(|link| link.contains("rel=\"next\"")).unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let (_, _, page) = get(&console, &next, &cookie).await;
    assert!(page.contains(">Q.100<") && page.contains("First page") && !page.contains("Next page"), "{page}");
    let (_, _, page) = get(&console, "/admin/queues?name=q.00&sort=size", &cookie).await;
    assert!(page.contains("10 queues with") && page.contains("aria-sort=\"descending\""), "{page}");
    let (_, _, page) = get(&console, "/admin/queue?name=Q.007", &cookie).await;
    assert!(
        page.contains("<dt>Pending</dt><dd>0</dd>") && page.contains("/admin/purge?queue=Q.007"),
        "{page}"
    );
    assert_eq!(get(&console, "/admin/queue?name=none", &cookie).await.0, 404);
    console.admin.stop().await;
}

#[tokio::test]
async fn a_slaves_pages_say_so_and_lead_to_the_master_if_its_host_is_another() {
    let (console, cookie) = console(Figures::default()).await;
    let mut status = Status {
        role: Role::Slave,
        node: "10.0.0.2:62621".to_owned(),
        master: Some("10.0.0.1:62621".to_owned()),
        ..Status::default()
    };
    let show = |status: &Status| {
        console.now.send_replace(Arc::new(Snapshot { status: status.clone(), group: None }));
    };
    show(&status);
    let port = console.admin.address().port();
    let (_, _, page) = get(&console, "/admin/queues", &cookie).await;
    assert!(
        page.contains("does not serve clients") && page.contains("The master is 10.0.0.1:62621"),
        "{page}"
    );
    assert!(page.contains(&format!("href=\"http://10.0.0.1:{port}/admin/\"")), "{page}");
    status.node = "10.0.0.1:62622".to_owned();
    show(&status);
    let (_, _, page) = get(&console, "/admin/queues", &cookie).await;
    assert!(page.contains("The master is") && !page.contains("href=\"http://"), "{page}");
    console.admin.stop().await;
}

#[tokio::test]
async fn classics_paths_lead_to_pages_and_its_feeds_have_its_format() {
    let (console, cookie) = console(figures(DestinationKind::Queue, &["A&B"])).await;
    let (code, head, _) = get(&console, "/admin/queues.jsp", &cookie).await;
    assert!(code == 308 && head.to_lowercase().contains("location: /admin/queues"), "{head}");
    let (code, head, feed) = get(&console, "/admin/xml/queues.jsp", &cookie).await;
    assert!(code == 200 && head.to_lowercase().contains("content-type: text/xml"), "{head}");
    let entry = "<queue name=\"A&amp;B\">\n  <stats size=\"0\" consumerCount=\"0\" enqueueCount=\"0\" \
                 dequeueCount=\"0\"/>\n</queue>";
    assert!(feed.contains("<queues>") && feed.contains(entry) && feed.contains("</queues>"), "{feed}");
    for (path, root) in [("topics", "topics"), ("subscribers", "subscribers")] {
        let (code, _, feed) = get(&console, &format!("/admin/xml/{path}.jsp"), &cookie).await;
        assert!(
            code == 200 && feed.contains(&format!("<{root}>")) && feed.contains(&format!("</{root}>")),
            "{feed}"
        );
    }
    console.admin.stop().await;
}
