package quorate.jms.scenario;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import javax.jms.DeliveryMode;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.QueueBrowser;
import javax.jms.Session;
import org.apache.activemq.command.ActiveMQQueue;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Who gets what from a queue, and in which order. */
public final class Queues {
    private Queues() {}

    public static void browserSeesAllAndTakesNothing(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        String[] texts = Messages.numbered(20);
        Messages.send(session, queue, texts);
        QueueBrowser browser = session.createBrowser(queue);
        Expect.equal(List.of(texts), browsed(browser), "what is browsed");
        Expect.equal(List.of(texts), browsed(browser), "what is browsed again");
        browser.close();
        Messages.expect(session.createConsumer(queue), texts);
    }

    public static void browserWithSelector(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        Messages.sendWith(session, queue, "colour", "red", "apple");
        Messages.sendWith(session, queue, "colour", "yellow", "lemon");
        Expect.equal(List.of("lemon"), browsed(session.createBrowser(queue, "colour = 'yellow'")), "what is browsed");
    }

    public static void browserOfAnEmptyQueueEnds(Client client) throws Exception {
        Expect.equal(List.of(), browsed(client.session().createBrowser(client.queue("queue"))), "what is browsed");
    }

    public static void consumersTakeTurns(Client client) throws Exception {
        Queue queue = client.queue("queue", "consumer.prefetchSize=1");
        MessageConsumer one = client.session().createConsumer(queue);
        MessageConsumer two = client.session().createConsumer(queue);
        Messages.send(client.session(), client.queue("queue"), "a", "b", "c", "d");
        // Who has none unacknowledged gets the next.
        List<String> received = new ArrayList<>();
        for (MessageConsumer consumer : List.of(one, two, one, two)) {
            received.add(Messages.text(consumer));
        }
        Collections.sort(received);
        Expect.equal(List.of("a", "b", "c", "d"), received, "what both received");
    }

    public static void groupStaysWithOneConsumer(Client client) throws Exception {
        Queue queue = client.queue("queue");
        MessageConsumer one = client.session().createConsumer(queue);
        MessageConsumer two = client.session().createConsumer(queue);
        Session session = client.session();
        for (int number = 0; number < 10; number++) {
            Messages.sendWith(session, queue, "JMSXGroupID", "blue", "blue " + number);
        }
        Message first = one.receive(Messages.SILENCE);
        MessageConsumer owner = first == null ? two : one;
        MessageConsumer other = first == null ? one : two;
        if (first == null) {
            first = Messages.receive(two);
        }
        Expect.equal("blue 0", Messages.text(first), "the first of the group");
        Expect.equal("blue", first.getStringProperty("JMSXGroupID"), "the group");
        for (int number = 1; number < 10; number++) {
            Messages.expect(owner, "blue " + number);
        }
        Messages.expectNone(other);
        owner.close();
        Messages.sendWith(session, queue, "JMSXGroupID", "blue", "afterwards");
        Messages.expect(other, "afterwards");
    }

    /** Versions of OpenWire before 10 cannot say it. */
    public static void firstOfAGroupIsMarked(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer consumer = session.createConsumer(client.queue("queue"));
        for (int number = 0; number < 3; number++) {
            Messages.sendWith(session, client.queue("queue"), "JMSXGroupID", "blue", "blue " + number);
        }
        for (int number = 0; number < 3; number++) {
            Message message = Messages.receive(consumer);
            boolean marked = message.propertyExists("JMSXGroupFirstForConsumer") && message.getBooleanProperty("JMSXGroupFirstForConsumer");
            Expect.equal(number == 0, marked, "blue " + number + " is the first for its consumer");
        }
    }

    public static void exclusiveConsumer(Client client) throws Exception {
        Queue queue = client.queue("queue", "consumer.exclusive=true");
        MessageConsumer one = client.session().createConsumer(queue);
        MessageConsumer two = client.session().createConsumer(queue);
        Session session = client.session();
        Messages.send(session, client.queue("queue"), Messages.numbered(10));
        Messages.expect(one, Messages.numbered(10));
        Messages.expectNone(two);
        one.close();
        Messages.send(session, client.queue("queue"), "taken over");
        Messages.expect(two, "taken over");
    }

    public static void consumerOfHigherPriorityIsServedFirst(Client client) throws Exception {
        MessageConsumer low = client.session().createConsumer(client.queue("queue"));
        MessageConsumer high = client.session().createConsumer(client.queue("queue", "consumer.priority=10"));
        Messages.send(client.session(), client.queue("queue"), Messages.numbered(10));
        Messages.expect(high, Messages.numbered(10));
        Messages.expectNone(low);
    }

    public static void messagesOfHigherPriorityComeFirst(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        MessageProducer producer = session.createProducer(queue);
        for (int priority : new int[] {1, 4, 9, 0, 7}) {
            producer.send(session.createTextMessage("priority " + priority), DeliveryMode.PERSISTENT, priority, 0);
        }
        Messages.expect(session.createConsumer(queue), "priority 9", "priority 7", "priority 4", "priority 1", "priority 0");
    }

    public static void expiredMessagesGoToTheDeadLetterQueue(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        MessageConsumer dead = session.createConsumer(new ActiveMQQueue("ActiveMQ.DLQ"), "scenario = '" + client.name("dead") + "'");
        MessageProducer producer = session.createProducer(queue);
        producer.setTimeToLive(100);
        Message message = session.createTextMessage("too late");
        message.setStringProperty("scenario", client.name("dead"));
        producer.send(message);
        Expect.that(message.getJMSExpiration() > message.getJMSTimestamp(), "the message has an end");
        Message expired = Messages.receive(dead);
        Expect.equal("too late", Messages.text(expired), "what comes to the dead-letter queue");
        Expect.equal(0L, expired.getJMSExpiration(), "its expiration there");
        Messages.expectNone(session.createConsumer(queue));
    }

    public static void liveMessagesOutliveExpiredOnes(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        MessageProducer producer = session.createProducer(queue);
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        producer.setTimeToLive(1);
        producer.send(session.createTextMessage("too late"));
        producer.setTimeToLive(600_000);
        producer.send(session.createTextMessage("in time"));
        Thread.sleep(50);
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "in time");
        Messages.expectNone(consumer);
    }

    public static void compositeDestination(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer subscriber = session.createConsumer(client.topic("topic"));
        String names = client.name("one") + ",queue://" + client.name("two") + ",topic://" + client.name("topic");
        Messages.send(session, new ActiveMQQueue(names), "to all");
        Messages.expect(session.createConsumer(client.queue("one")), "to all");
        Messages.expect(session.createConsumer(client.queue("two")), "to all");
        Messages.expect(subscriber, "to all");
    }

    public static void consumerOfSeveralQueues(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer consumer = session.createConsumer(new ActiveMQQueue(client.name("one") + "," + client.name("two")));
        Messages.send(session, client.queue("one"), "first");
        Messages.expect(consumer, "first");
        Messages.send(session, client.queue("two"), "second");
        Messages.expect(consumer, "second");
    }

    public static void wildcards(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer oneLevel = session.createConsumer(client.queue("one.*"));
        Messages.send(session, client.queue("one.red"), "red");
        Messages.send(session, client.queue("one.red.dark"), "dark");
        Message red = Messages.receive(oneLevel);
        Expect.equal("red", Messages.text(red), "the text");
        Expect.equal(client.queue("one.red"), red.getJMSDestination(), "the destination");
        Messages.expectNone(oneLevel);
        oneLevel.close();
        Messages.send(session, client.queue("two.blue"), "blue");
        Messages.expect(session.createConsumer(client.queue("one.>")), "dark");
        Messages.expect(session.createConsumer(client.queue(">")), "blue");
    }

    private static List<String> browsed(QueueBrowser browser) throws Exception {
        List<String> texts = new ArrayList<>();
        for (Enumeration<?> messages = browser.getEnumeration(); messages.hasMoreElements(); ) {
            texts.add(Messages.text((Message) messages.nextElement()));
        }
        return texts;
    }
}
