package quorate.jms.scenario;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.command.ActiveMQQueue;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** What cannot be processed is tried again, and then put aside. */
public final class Redelivery {
    private static final String[] TWICE = {"jms.redeliveryPolicy.maximumRedeliveries=1", "jms.redeliveryPolicy.initialRedeliveryDelay=0"};
    /** The property by which a scenario finds its own message among the dead ones. */
    private static final String MARK = "scenario";

    private Redelivery() {}

    public static void exceededGoesToTheDeadLetterQueue(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.sendWith(client.session(), queue, MARK, client.name("poison"), "poison");
        Messages.send(client.session(), queue, "good");
        Session session = client.transacted(TWICE);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "poison");
        session.rollback();
        Messages.expect(consumer, "poison");
        session.rollback();
        Messages.expect(consumer, "good");
        session.commit();
        Message message = dead(client, "poison");
        Expect.equal("poison", Messages.text(message), "the text");
        Expect.equal(client.name("poison"), message.getStringProperty(MARK), "the property");
    }

    /** Clients before 5.9 do not tell the broker. */
    public static void deadMessageTellsTheCause(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.sendWith(client.session(), queue, MARK, client.name("poison"), "poison");
        Session session = client.transacted("jms.redeliveryPolicy.maximumRedeliveries=0");
        Messages.expect(session.createConsumer(queue), "poison");
        session.rollback();
        Expect.that(dead(client, "poison").getStringProperty("dlqDeliveryFailureCause") != null, "the cause is told");
    }

    public static void recoveredTooOften(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.sendWith(client.session(), queue, MARK, client.name("poison"), "poison");
        Session session = client.connect(TWICE).createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "poison");
        session.recover();
        Messages.expect(consumer, "poison");
        session.recover();
        Messages.expectNone(consumer);
        Expect.equal("poison", Messages.text(dead(client, "poison")), "the text");
    }

    public static void listenerThatThrows(Client client) throws Exception {
        Queue queue = client.queue("queue");
        List<Integer> deliveries = new CopyOnWriteArrayList<>();
        CountDownLatch rest = new CountDownLatch(2);
        client.session(TWICE).createConsumer(queue).setMessageListener(message -> {
            try {
                deliveries.add(Messages.deliveries(message));
            } catch (Exception unreadable) {
                deliveries.add(-1);
            }
            rest.countDown();
            throw new IllegalStateException("cannot be processed");
        });
        Messages.sendWith(client.session(), queue, MARK, client.name("poison"), "poison");
        Expect.that(rest.await(Messages.PATIENCE, TimeUnit.MILLISECONDS), "the message comes twice");
        Expect.equal("poison", Messages.text(dead(client, "poison")), "the text");
        Expect.equal(List.of(1, 2), deliveries, "the deliveries");
    }

    public static void ofADurableSubscription(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"), TWICE);
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer subscriber = session.createDurableSubscriber(topic, "subscription");
        Messages.sendWith(client.session(), topic, MARK, client.name("poison"), "poison");
        for (int delivery = 0; delivery < 2; delivery++) {
            Messages.expect(subscriber, "poison");
            session.rollback();
        }
        Messages.expectNone(subscriber);
        Expect.equal("poison", Messages.text(dead(client, "poison")), "the text");
    }

    public static void delayGrows(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "late");
        Session session = client.transacted("jms.redeliveryPolicy.initialRedeliveryDelay=100", "jms.redeliveryPolicy.redeliveryDelay=100",
                "jms.redeliveryPolicy.useExponentialBackOff=true", "jms.redeliveryPolicy.backOffMultiplier=3");
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "late");
        for (long delay : new long[] {100, 300}) {
            long start = System.nanoTime();
            session.rollback();
            Messages.expect(consumer, "late");
            long taken = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
            Expect.that(taken >= delay - 20, "the message comes after " + delay + " ms, not after " + taken);
        }
        session.commit();
    }

    public static void countSurvivesTheConnection(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "again");
        for (int delivery = 1; delivery <= 4; delivery++) {
            Connection connection = client.connect();
            Message message = Messages.receive(connection.createSession(false, Session.CLIENT_ACKNOWLEDGE).createConsumer(queue));
            Expect.equal(delivery, Messages.deliveries(message), "the deliveries");
            Expect.equal(delivery > 1, message.getJMSRedelivered(), "redelivered");
            connection.close();
        }
    }

    /** The dead message that has this mark. */
    private static Message dead(Client client, String mark) throws Exception {
        String selector = MARK + " = '" + client.name(mark) + "'";
        return Messages.receive(client.session().createConsumer(new ActiveMQQueue("ActiveMQ.DLQ"), selector));
    }
}
