package quorate.jms.scenario;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Queue;
import javax.jms.Session;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** How many messages a consumer is sent before it acknowledges any. */
public final class Prefetch {
    private static final String NONE = "jms.prefetchPolicy.all=0";
    private static final String ONE = "jms.prefetchPolicy.all=1";

    private Prefetch() {}

    public static void zeroPulls(Client client) throws Exception {
        Queue queue = client.queue("queue");
        MessageConsumer consumer = client.session(NONE).createConsumer(queue);
        Messages.expectNone(consumer);
        Expect.equal(null, consumer.receiveNoWait(), "what an empty queue gives");
        Messages.send(client.session(), queue, "one", "two", "three");
        Messages.expect(consumer, "one");
        Message two = consumer.receiveNoWait();
        Expect.that(two != null, "a message is there without waiting");
        Expect.equal("two", Messages.text(two), "the text");
        // Nothing was sent to the first that it did not ask for.
        Messages.expect(client.session().createConsumer(queue), "three");
    }

    public static void zeroWaitsForAMessage(Client client) throws Exception {
        Queue queue = client.queue("queue");
        MessageConsumer consumer = client.session(NONE).createConsumer(queue);
        CompletableFuture<Message> waiting = CompletableFuture.supplyAsync(() -> {
            try {
                return consumer.receive();
            } catch (Exception failure) {
                throw new IllegalStateException(failure);
            }
        });
        Thread.sleep(100);
        Messages.send(client.session(), queue, "waited for");
        Message message = waiting.get(Messages.PATIENCE, TimeUnit.MILLISECONDS);
        Expect.equal("waited for", Messages.text(message), "the text");
    }

    public static void zeroTransacted(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Messages.send(client.session(), queue, "one", "two");
        Session session = client.transacted(NONE, "jms.redeliveryPolicy.initialRedeliveryDelay=0");
        MessageConsumer consumer = session.createConsumer(queue);
        Messages.expect(consumer, "one");
        session.rollback();
        Messages.expect(consumer, "one", "two");
        session.commit();
        Messages.expectNone(consumer);
    }

    public static void oneLeavesTheRestToOthers(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session slow = client.connect(ONE).createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer slowly = slow.createConsumer(queue);
        Messages.send(client.session(), queue, "one", "two", "three");
        Message one = Messages.receive(slowly);
        MessageConsumer other = client.session(ONE).createConsumer(queue);
        // One at most may have gone to the slow one when it took the first.
        String next = Messages.text(other);
        Expect.that(next.equals("two") || next.equals("three"), "the other consumer gets one of the rest, not " + next);
        one.acknowledge();
        slow.close();
    }

    public static void oneInOrder(Client client) throws Exception {
        Queue queue = client.queue("queue", "consumer.prefetchSize=1");
        String[] texts = Messages.numbered(100);
        Messages.send(client.session("jms.useAsyncSend=true"), client.queue("queue"), texts);
        Messages.expect(client.session().createConsumer(queue), texts);
    }

    public static void oneTransactedInBatches(Client client) throws Exception {
        Queue queue = client.queue("queue");
        String[] texts = Messages.numbered(20);
        Messages.send(client.session("jms.useAsyncSend=true"), queue, texts);
        Session session = client.transacted(ONE);
        MessageConsumer consumer = session.createConsumer(queue);
        for (int number = 0; number < texts.length; number++) {
            Messages.expect(consumer, texts[number]);
            if (number % 5 == 4) {
                session.commit();
            }
        }
        Messages.expectNone(consumer);
    }

    public static void manyAreHoardedUntilTheConsumerCloses(Client client) throws Exception {
        Queue queue = client.queue("queue");
        String[] texts = Messages.numbered(50);
        Messages.send(client.session("jms.useAsyncSend=true"), queue, texts);
        Session session = client.session();
        MessageConsumer hoard = session.createConsumer(queue);
        Messages.expect(hoard, texts[0]);
        MessageConsumer other = client.session().createConsumer(queue);
        Messages.expectNone(other);
        hoard.close();
        Messages.expect(other, texts[1]);
    }
}
