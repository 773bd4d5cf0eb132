package quorate.jms.scenario;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.jms.Connection;
import javax.jms.IllegalStateException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TemporaryQueue;
import javax.jms.Topic;
import javax.jms.TransactionRolledBackException;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Link;
import quorate.jms.Messages;

/** The connection breaks, and the application does not notice: the client comes back and goes on. */
public final class Failover {
    private static final int MESSAGES = 200;

    private Failover() {}

    public static void deadAddressIsPassedOver(Client client) throws Exception {
        Connection connection = client.connectTo("failover:(tcp://127.0.0.1:1," + inner(client) + ")?randomize=false");
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        Messages.send(session, client.queue("queue"), "over the second");
        Messages.expect(session.createConsumer(client.queue("queue")), "over the second");
    }

    public static void producerGoesOn(Client client) throws Exception {
        Link link = client.link();
        Session session = unbroken(client, client.failoverUrl(link)).createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(client.queue("queue"));
        for (int number = 0; number < MESSAGES; number++) {
            if (number % 50 == 25) {
                link.cut();
            }
            producer.send(session.createTextMessage("number " + number));
        }
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.expect(consumer, Messages.numbered(MESSAGES));
        Messages.expectNone(consumer);
    }

    /** The cut falls anywhere, also between a send and its confirmation: what is sent again is recognised. */
    public static void resentMessagesAreRecognised(Client client) throws Exception {
        Link link = client.link();
        Session session = unbroken(client, client.failoverUrl(link)).createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageProducer producer = session.createProducer(client.queue("queue"));
        Thread cutting = new Thread(() -> {
            while (!Thread.currentThread().isInterrupted()) {
                try {
                    Thread.sleep(53);
                } catch (InterruptedException done) {
                    return;
                }
                link.cut();
            }
        });
        cutting.start();
        for (String text : Messages.numbered(MESSAGES)) {
            producer.send(session.createTextMessage(text));
        }
        cutting.interrupt();
        cutting.join();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.expect(consumer, Messages.numbered(MESSAGES));
        Messages.expectNone(consumer);
    }

    public static void consumerGoesOn(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session("jms.useAsyncSend=true"), queue, Messages.numbered(MESSAGES));
        Link link = client.link();
        Connection connection = unbroken(client, client.failoverUrl(link));
        MessageConsumer consumer = connection.createSession(false, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
        Set<String> received = new HashSet<>();
        for (int count = 0; received.size() < MESSAGES; count++) {
            if (count % 50 == 25) {
                link.cut();
            }
            Message message = Messages.receive(consumer);
            Expect.that(received.add(Messages.text(message)) || message.getJMSRedelivered(), "what comes twice says so: " + Messages.text(message));
        }
        connection.close();
        // What was acknowledged while there was no way may come again, and says so.
        MessageConsumer rest = client.session().createConsumer(queue);
        for (Message message = rest.receive(Messages.SILENCE); message != null; message = rest.receive(Messages.SILENCE)) {
            Expect.equal(true, message.getJMSRedelivered(), "redelivered");
        }
    }

    public static void openTransactionIsReplayed(Client client) throws Exception {
        Link link = client.link();
        Session session = unbroken(client, client.failoverUrl(link)).createSession(true, Session.SESSION_TRANSACTED);
        Messages.send(session, client.queue("queue"), "one", "two");
        link.cut();
        Messages.send(session, client.queue("queue"), "three");
        session.commit();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        Messages.expect(consumer, "one", "two", "three");
        Messages.expectNone(consumer);
    }

    /**
     * Each message is moved once, whether a batch is committed or rolled back. The client says the latter with the commit, or already with
     * a send when it has lost a message that the batch had received.
     */
    public static void batchesAreMovedOnce(Client client) throws Exception {
        Queue from = client.queue("from");
        Queue to = client.queue("to");
        String[] texts = Messages.numbered(50);
        Messages.send(client.session("jms.useAsyncSend=true"), from, texts);
        Link link = client.link();
        Connection connection = unbroken(client, client.failoverUrl(link, "jms.redeliveryPolicy.maximumRedeliveries=-1",
                "jms.redeliveryPolicy.initialRedeliveryDelay=0"));
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(from);
        MessageConsumer arrivals = client.session().createConsumer(to);
        Set<String> arrived = new HashSet<>();
        for (int batch = 0; arrived.size() < texts.length; batch++) {
            int moved = 0;
            try {
                Message message;
                while (moved < 10 && (message = consumer.receive(1000)) != null) {
                    Messages.send(session, to, Messages.text(message));
                    moved++;
                    if (batch % 2 == 0 && moved == 5) {
                        link.cut();
                    }
                }
                session.commit();
            } catch (TransactionRolledBackException | IllegalStateException documented) {
                session.rollback();
                moved = 0;
            }
            for (String text : Messages.texts(arrivals, moved)) {
                Expect.that(arrived.add(text), "moved once: " + text);
            }
        }
        Messages.expectNone(arrivals);
    }

    public static void durableSubscriberGoesOn(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Link link = client.link();
        Connection connection = client.connectTo(client.failoverUrl(link, "jms.clientID=" + client.name("id")));
        MessageConsumer subscriber = connection.createSession(false, Session.AUTO_ACKNOWLEDGE).createDurableSubscriber(topic, "subscription");
        Session session = client.session();
        Messages.send(session, topic, "before");
        Messages.expect(subscriber, "before");
        link.cut();
        Messages.send(session, topic, "after");
        Messages.expect(subscriber, "after");
    }

    public static void temporaryQueueIsMadeAgain(Client client) throws Exception {
        Link link = client.link();
        Session session = unbroken(client, client.failoverUrl(link)).createSession(false, Session.AUTO_ACKNOWLEDGE);
        TemporaryQueue answers = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(answers);
        link.cut();
        Messages.send(session, answers, "to myself");
        Messages.expect(consumer, "to myself");
        Messages.sendOnceKnown(client.session(), answers, "from another");
        Messages.expect(consumer, "from another");
    }

    /** The broker still holds the old connection when the client comes back under the same id. */
    public static void connectionThatLingersIsReplaced(Client client) throws Exception {
        Link link = client.link();
        Connection connection = unbroken(client, client.failoverUrl(link, "jms.clientID=" + client.name("id")));
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(client.queue("queue"));
        Messages.send(session, client.queue("queue"), "one", "two");
        Messages.expect(consumer, "one");
        link.cutUnseen();
        Messages.send(session, client.queue("queue"), "three");
        Set<String> received = new HashSet<>();
        while (!received.containsAll(Set.of("two", "three"))) {
            received.add(Messages.text(consumer));
        }
    }

    /** A connection of which the application must hear nothing. */
    private static Connection unbroken(Client client, String url) throws JMSException {
        Connection connection = client.connectTo(url);
        List<JMSException> heard = new CopyOnWriteArrayList<>();
        connection.setExceptionListener(heard::add);
        client.keep(() -> Expect.equal(List.of(), heard, "what the application heard of the cut"));
        return connection;
    }

    private static String inner(Client client) {
        String url = client.url();
        return url.startsWith("failover:") ? url.substring(url.indexOf('(') + 1, url.indexOf(')')) : url;
    }
}
