package quorate.jms.scenario;

import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Sends and acknowledgements count together or not at all. */
public final class Transacted {
    /** What a rollback gives back comes again at once. */
    private static final String AT_ONCE = "jms.redeliveryPolicy.initialRedeliveryDelay=0";

    private Transacted() {}

    public static void sendsCountFromTheCommitOn(Client client) throws Exception {
        Session session = client.transacted();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.send(session, client.queue("queue"), "one", "two");
        Messages.expectNone(consumer);
        session.commit();
        Messages.expect(consumer, "one", "two");
    }

    public static void sendsVanishWithTheRollback(Client client) throws Exception {
        Session session = client.transacted();
        Messages.send(session, client.queue("queue"), "never");
        session.rollback();
        Messages.send(session, client.queue("queue"), "after");
        session.commit();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.expect(consumer, "after");
        Messages.expectNone(consumer);
    }

    public static void rollbackRedelivers(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two");
        Session session = client.transacted(AT_ONCE);
        MessageConsumer consumer = session.createConsumer(queue);
        for (int delivery = 1; delivery <= 3; delivery++) {
            for (String text : new String[] {"one", "two"}) {
                Message message = Messages.receive(consumer);
                Expect.equal(text, Messages.text(message), "the text");
                Expect.equal(delivery > 1, message.getJMSRedelivered(), "redelivered");
                Expect.equal(delivery, Messages.deliveries(message), "the deliveries");
            }
            if (delivery < 3) {
                session.rollback();
            }
        }
        session.commit();
        session.close();
        Messages.expectNone(client.session().createConsumer(queue));
    }

    public static void receivingAndSendingAreOne(Client client) throws Exception {
        Queue from = client.queue("from");
        Queue to = client.queue("to");
        Messages.send(client.session(), from, "moved");
        MessageConsumer arrivals = client.session().createConsumer(to);
        Session session = client.transacted(AT_ONCE);
        MessageConsumer consumer = session.createConsumer(from);
        Messages.send(session, to, Messages.text(consumer));
        session.rollback();
        Messages.expectNone(arrivals);
        Messages.send(session, to, Messages.text(consumer));
        session.commit();
        Messages.expect(arrivals, "moved");
        session.close();
        Messages.expectNone(client.session().createConsumer(from));
    }

    public static void closingRollsBack(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "kept");
        Session session = client.transacted();
        Messages.expect(session.createConsumer(queue), "kept");
        Messages.send(session, queue, "never");
        session.close();
        MessageConsumer consumer = client.session().createConsumer(queue);
        Message kept = Messages.receive(consumer);
        Expect.equal("kept", Messages.text(kept), "the text");
        Expect.equal(true, kept.getJMSRedelivered(), "redelivered");
        Messages.expectNone(consumer);
    }

    public static void manyDestinationsInOneTransaction(Client client) throws Exception {
        Session session = client.transacted();
        Topic topic = client.topic("topic");
        MessageConsumer subscriber = client.session().createConsumer(topic);
        for (int number = 0; number < 10; number++) {
            Messages.send(session, client.queue("queue" + number), "queued");
            Messages.send(session, topic, "published " + number);
        }
        Messages.expectNone(subscriber);
        session.commit();
        Session receiving = client.session();
        for (int number = 0; number < 10; number++) {
            Messages.expect(receiving.createConsumer(client.queue("queue" + number)), "queued");
            Messages.expect(subscriber, "published " + number);
        }
    }

    public static void sessionsOfOneConnectionAreSeparate(Client client) throws Exception {
        var connection = client.connect();
        Session one = connection.createSession(true, Session.SESSION_TRANSACTED);
        Session two = connection.createSession(true, Session.SESSION_TRANSACTED);
        Messages.send(one, client.queue("queue"), "one");
        Messages.send(two, client.queue("queue"), "two");
        two.commit();
        one.rollback();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.expect(consumer, "two");
        Messages.expectNone(consumer);
    }

    public static void thousandMessagesInOneTransaction(Client client) throws Exception {
        Queue queue = client.queue("queue");
        String[] texts = Messages.numbered(1000);
        Session session = client.transacted();
        Messages.send(session, queue, texts);
        session.commit();
        Session receiving = client.transacted(AT_ONCE);
        MessageConsumer consumer = receiving.createConsumer(queue);
        Messages.expect(consumer, texts);
        receiving.rollback();
        Messages.expect(consumer, texts);
        receiving.commit();
        receiving.close();
        Messages.expectNone(client.session().createConsumer(queue));
    }
}
