package quorate.jms.scenario;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.BytesMessage;
import javax.jms.Connection;
import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TextMessage;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** A message goes in and comes out, in every way of sending. */
public final class Basic {
    private Basic() {}

    public static void textWithHeaders(Client client) throws Exception {
        Session session = client.session();
        Queue queue = client.queue("queue");
        Queue answers = client.queue("answers");
        TextMessage sent = session.createTextMessage("hello");
        sent.setJMSCorrelationID("correlated");
        sent.setJMSType("greeting");
        sent.setJMSReplyTo(answers);
        session.createProducer(queue).send(sent);

        TextMessage received = (TextMessage) Messages.receive(session.createConsumer(queue));
        Expect.equal("hello", received.getText(), "the text");
        Expect.equal(sent.getJMSMessageID(), received.getJMSMessageID(), "the message id");
        Expect.that(received.getJMSMessageID().startsWith("ID:"), "a message id begins with ID:");
        Expect.equal(sent.getJMSTimestamp(), received.getJMSTimestamp(), "the timestamp");
        Expect.equal("correlated", received.getJMSCorrelationID(), "the correlation id");
        Expect.equal("greeting", received.getJMSType(), "the type");
        Expect.equal(answers, received.getJMSReplyTo(), "the destination of answers");
        Expect.equal(queue, received.getJMSDestination(), "the destination");
        Expect.equal(DeliveryMode.PERSISTENT, received.getJMSDeliveryMode(), "the delivery mode");
        Expect.equal(Message.DEFAULT_PRIORITY, received.getJMSPriority(), "the priority");
        Expect.equal(0L, received.getJMSExpiration(), "the expiration");
        Expect.equal(false, received.getJMSRedelivered(), "redelivered");
        Expect.equal(1, Messages.deliveries(received), "the deliveries");
    }

    public static void notPersistent(Client client) throws Exception {
        Session session = client.session();
        Queue queue = client.queue("queue");
        MessageProducer producer = session.createProducer(queue);
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        producer.setPriority(7);
        producer.send(session.createTextMessage("light"));
        Message received = Messages.receive(session.createConsumer(queue));
        Expect.equal(DeliveryMode.NON_PERSISTENT, received.getJMSDeliveryMode(), "the delivery mode");
        Expect.equal(7, received.getJMSPriority(), "the priority");
    }

    public static void producerWithoutDestination(Client client) throws Exception {
        Session session = client.session();
        MessageProducer producer = session.createProducer(null);
        producer.send(client.queue("one"), session.createTextMessage("to one"));
        producer.send(client.queue("two"), session.createTextMessage("to two"));
        Messages.expect(session.createConsumer(client.queue("two")), "to two");
        Messages.expect(session.createConsumer(client.queue("one")), "to one");
    }

    public static void orderIsKept(Client client) throws Exception {
        inOrder(client, 200);
    }

    public static void asynchronousSends(Client client) throws Exception {
        inOrder(client, 500, "jms.useAsyncSend=true");
    }

    public static void alwaysSynchronousSends(Client client) throws Exception {
        inOrder(client, 50, "jms.alwaysSyncSend=true");
    }

    public static void dispatchWithoutThreadOfItsOwn(Client client) throws Exception {
        inOrder(client, 50, "jms.dispatchAsync=false", "jms.alwaysSessionAsync=false");
    }

    /** The window holds some ten of the messages: without the broker's acknowledgements the sender would stand still. */
    public static void producerWindow(Client client) throws Exception {
        inOrder(client, 200, "jms.useAsyncSend=true", "jms.producerWindowSize=20000");
    }

    public static void deliveryWaitsForStart(Client client) throws Exception {
        Connection connection = client.connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(client.queue("queue"));
        connection.stop();
        Messages.send(client.session(), client.queue("queue"), "patient");
        Messages.expectNone(consumer);
        connection.start();
        Messages.expect(consumer, "patient");
    }

    public static void receiveWithoutWaiting(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer consumer = session.createConsumer(client.queue("queue"));
        Expect.equal(null, consumer.receiveNoWait(), "what an empty queue gives");
        Messages.send(session, client.queue("queue"), "there");
        Message message = null;
        for (long end = System.currentTimeMillis() + Messages.PATIENCE; message == null && System.currentTimeMillis() < end; ) {
            message = consumer.receiveNoWait();
        }
        Expect.that(message != null, "a message comes");
    }

    public static void listener(Client client) throws Exception {
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch rest = new CountDownLatch(100);
        client.session().createConsumer(client.queue("queue")).setMessageListener(message -> {
            try {
                heard.add(Messages.text(message));
            } catch (Exception unreadable) {
                heard.add(unreadable.toString());
            }
            rest.countDown();
        });
        String[] texts = Messages.numbered(100);
        Messages.send(client.session(), client.queue("queue"), texts);
        Expect.that(rest.await(Messages.PATIENCE, TimeUnit.MILLISECONDS), "all messages come");
        Expect.equal(List.of(texts), heard, "what the listener heard");
    }

    /** As a listener container has them: one connection, a session for each consumer. */
    public static void fiftyConcurrentConsumers(Client client) throws Exception {
        int messages = 2000;
        List<String> heard = Collections.synchronizedList(new ArrayList<>());
        CountDownLatch rest = new CountDownLatch(messages);
        Connection connection = client.connect("jms.prefetchPolicy.queuePrefetch=5");
        for (int consumer = 0; consumer < 50; consumer++) {
            Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
            session.createConsumer(client.queue("queue")).setMessageListener(message -> {
                try {
                    heard.add(Messages.text(message));
                    session.commit();
                } catch (Exception unreadable) {
                    heard.add(unreadable.toString());
                }
                rest.countDown();
            });
        }
        String[] texts = Messages.numbered(messages);
        Messages.send(client.session("jms.useAsyncSend=true"), client.queue("queue"), texts);
        Expect.that(rest.await(2 * Messages.PATIENCE, TimeUnit.MILLISECONDS), "all messages come");
        Expect.equal(messages, heard.size(), "messages");
        Expect.equal(new HashSet<>(Arrays.asList(texts)), new HashSet<>(heard), "what the listeners heard");
    }

    public static void tenMebibytes(Client client) throws Exception {
        large(client);
    }

    public static void tenMebibytesCompressed(Client client) throws Exception {
        large(client, "jms.useCompression=true");
    }

    private static void inOrder(Client client, int count, String... options) throws Exception {
        String[] texts = Messages.numbered(count);
        Session receiving = client.session(options);
        MessageConsumer consumer = receiving.createConsumer(client.queue("queue"));
        Session session = client.session(options);
        MessageProducer producer = session.createProducer(client.queue("queue"));
        for (String text : texts) {
            Message message = session.createTextMessage(text);
            message.setStringProperty("ballast", "b".repeat(1000));
            producer.send(message);
        }
        Messages.expect(consumer, texts);
    }

    /** Half of the body can be compressed. */
    private static void large(Client client, String... options) throws Exception {
        byte[] body = new byte[10 << 20];
        new Random(1).nextBytes(body);
        Arrays.fill(body, 0, body.length / 2, (byte) 7);
        Session session = client.session(options);
        BytesMessage message = session.createBytesMessage();
        message.writeBytes(body);
        session.createProducer(client.queue("queue")).send(message);
        BytesMessage received = (BytesMessage) Messages.receive(client.session().createConsumer(client.queue("queue")));
        Expect.equal((long) body.length, received.getBodyLength(), "the length");
        byte[] read = new byte[body.length];
        received.readBytes(read);
        Expect.equal(body, read, "the body");
    }
}
