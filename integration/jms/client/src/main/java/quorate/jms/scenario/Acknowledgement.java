package quorate.jms.scenario;

import java.util.List;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import org.apache.activemq.ActiveMQSession;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** What is acknowledged is gone; what is not comes again, and says so. */
public final class Acknowledgement {
    private Acknowledgement() {}

    public static void automatic(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        Messages.send(session, queue, "one", "two");
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "one");
        consumer.close();
        MessageConsumer next = client.session().createConsumer(queue);
        Messages.expect(next, "two");
        Messages.expectNone(next);
    }

    public static void clientAcknowledgesAllThatItHasReceived(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two", "three", "four");
        Session session = client.connect().createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "one");
        Messages.receive(consumer).acknowledge();
        Messages.expect(consumer, "three");
        session.close();

        MessageConsumer next = client.session().createConsumer(queue);
        expect(next, "three", true);
        expect(next, "four", false);
        Messages.expectNone(next);
    }

    public static void individual(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two", "three", "four");
        Session session = client.connect().createSession(false, ActiveMQSession.INDIVIDUAL_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "one");
        Message second = Messages.receive(consumer);
        Message third = Messages.receive(consumer);
        third.acknowledge();
        second.acknowledge();
        session.close();

        MessageConsumer next = client.session().createConsumer(queue);
        Messages.expect(next, "one", "four");
        Messages.expectNone(next);
    }

    public static void duplicatesAllowed(Client client) throws Exception {
        everythingOnce(client, Session.DUPS_OK_ACKNOWLEDGE);
    }

    public static void optimizeAcknowledge(Client client) throws Exception {
        everythingOnce(client, Session.AUTO_ACKNOWLEDGE, "jms.optimizeAcknowledge=true");
    }

    public static void optimizeAcknowledgeWithTimer(Client client) throws Exception {
        everythingOnce(client, Session.AUTO_ACKNOWLEDGE, "jms.optimizeAcknowledge=true", "jms.optimizedAckScheduledAckInterval=100");
    }

    public static void recoverGivesOutAgain(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two");
        Session session = client.connect().createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        expect(consumer, "one", false);
        expect(consumer, "two", false);
        session.recover();
        Message first = expect(consumer, "one", true);
        Expect.equal(2, Messages.deliveries(first), "the deliveries");
        expect(consumer, "two", true).acknowledge();
        session.close();
        Messages.expectNone(client.session().createConsumer(queue));
    }

    public static void closingTheConsumerReleases(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two", "three");
        Session session = client.connect().createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "one");
        MessageConsumer other = client.session().createConsumer(queue);
        Messages.expectNone(other);
        consumer.close();
        expect(other, "one", true);
        expect(other, "two", false);
        expect(other, "three", false);
    }

    public static void closingTheConnectionReleases(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, Messages.numbered(50));
        var connection = client.connect();
        Messages.receive(connection.createSession(false, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue));
        connection.close();
        Expect.equal(List.of(Messages.numbered(50)), Messages.texts(client.session().createConsumer(queue), 50), "what comes again, in order");
    }

    /** What waited in the client unseen was not delivered, and its count does not rise. */
    public static void prefetchedMessagesAreNotRedelivered(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two", "three");
        Session session = client.connect().createSession(false, Session.CLIENT_ACKNOWLEDGE);
        expect(session.createConsumer(queue), "one", false);
        session.close();
        MessageConsumer next = client.session().createConsumer(queue);
        Expect.equal(2, Messages.deliveries(expect(next, "one", true)), "the deliveries of what was seen");
        Expect.equal(1, Messages.deliveries(expect(next, "two", false)), "the deliveries of what was not");
        expect(next, "three", false);
    }

    private static Message expect(MessageConsumer consumer, String text, boolean redelivered) throws Exception {
        Message message = Messages.receive(consumer);
        Expect.equal(text, Messages.text(message), "the text");
        Expect.equal(redelivered, message.getJMSRedelivered(), text + " redelivered");
        return message;
    }

    private static void everythingOnce(Client client, int mode, String... options) throws Exception {
        Queue queue = client.queue("queue");
        String[] texts = Messages.numbered(300);
        Messages.send(client.session("jms.useAsyncSend=true"), queue, texts);
        Session session = client.connect(options).createSession(false, mode);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, texts);
        consumer.close();
        session.close();
        Messages.expectNone(client.session().createConsumer(queue));
    }
}
