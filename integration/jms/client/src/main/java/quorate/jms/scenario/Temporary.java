package quorate.jms.scenario;

import javax.jms.Connection;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.TemporaryTopic;
import javax.jms.TextMessage;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Destinations that belong to a connection and go with it. */
public final class Temporary {
    private Temporary() {}

    public static void requestAndReply(Client client) throws Exception {
        serve(client);
        Session session = client.session();
        TemporaryQueue answers = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(answers);
        MessageProducer producer = session.createProducer(client.queue("requests"));
        for (String text : Messages.numbered(20)) {
            TextMessage request = session.createTextMessage(text);
            request.setJMSReplyTo(answers);
            request.setJMSCorrelationID(text);
            producer.send(request);
            Message answer = Messages.receive(consumer);
            Expect.equal("answer to " + text, Messages.text(answer), "the answer");
            Expect.equal(text, answer.getJMSCorrelationID(), "the correlation id");
        }
    }

    public static void queueForEachRequest(Client client) throws Exception {
        serve(client);
        Session session = client.session();
        MessageProducer producer = session.createProducer(client.queue("requests"));
        for (String text : Messages.numbered(20)) {
            TemporaryQueue answers = session.createTemporaryQueue();
            MessageConsumer consumer = session.createConsumer(answers);
            TextMessage request = session.createTextMessage(text);
            request.setJMSReplyTo(answers);
            producer.send(request);
            Messages.expect(consumer, "answer to " + text);
            consumer.close();
            answers.delete();
        }
    }

    public static void topic(Client client) throws Exception {
        Session session = client.session();
        TemporaryTopic topic = session.createTemporaryTopic();
        MessageConsumer one = session.createConsumer(topic);
        MessageConsumer two = session.createConsumer(topic);
        Messages.sendOnceKnown(client.session(), topic, "to both");
        Messages.expect(one, "to both");
        Messages.expect(two, "to both");
    }

    public static void closedToOthers(Client client) throws Exception {
        TemporaryQueue queue = client.session().createTemporaryQueue();
        Session other = client.session();
        Expect.failure(InvalidDestinationException.class, () -> other.createConsumer(queue));
    }

    public static void goesWithItsConnection(Client client) throws Exception {
        Connection owner = client.connect();
        TemporaryQueue queue = owner.createSession(false, Session.AUTO_ACKNOWLEDGE).createTemporaryQueue();
        Session session = client.session("jms.watchTopicAdvisories=false");
        Messages.send(session, queue, "while it is there");
        owner.close();
        Expect.failure(JMSException.class, () -> Messages.send(session, queue, "when it is gone"));
    }

    /** The client hears by advisories which are gone; before it has heard, the broker refuses, or takes what is lost. */
    public static void deletedOneIsKnownToOthers(Client client) throws Exception {
        Session session = client.session();
        TemporaryQueue queue = client.session().createTemporaryQueue();
        Messages.sendOnceKnown(session, queue, "while it is there");
        queue.delete();
        long end = System.currentTimeMillis() + Messages.PATIENCE;
        while (true) {
            try {
                Messages.send(session, queue, "when it is gone");
            } catch (JMSException expected) {
                return;
            }
            Expect.that(System.currentTimeMillis() < end, "sending to a deleted queue fails");
            Thread.sleep(10);
        }
    }

    public static void deletingOneInUseFails(Client client) throws Exception {
        Session session = client.session();
        TemporaryQueue queue = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(queue);
        Expect.failure(JMSException.class, queue::delete);
        Messages.send(session, queue, "still there");
        Messages.expect(consumer, "still there");
    }

    public static void transactedAnswers(Client client) throws Exception {
        Session session = client.session();
        TemporaryQueue answers = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(answers);
        Session other = client.transacted();
        Messages.sendOnceKnown(other, answers, "answer");
        Messages.expectNone(consumer);
        other.commit();
        Messages.expect(consumer, "answer");
    }

    /** Answers every request where it wants its answer. */
    private static void serve(Client client) throws Exception {
        Queue requests = client.queue("requests");
        Session session = client.session();
        MessageProducer producer = session.createProducer(null);
        session.createConsumer(requests).setMessageListener(request -> {
            try {
                TextMessage answer = session.createTextMessage("answer to " + Messages.text(request));
                answer.setJMSCorrelationID(request.getJMSCorrelationID());
                producer.send(request.getJMSReplyTo(), answer);
            } catch (JMSException failure) {
                throw new IllegalStateException(failure);
            }
        });
    }
}
