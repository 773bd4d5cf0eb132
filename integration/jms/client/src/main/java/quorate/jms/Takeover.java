package quorate.jms;

import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import javax.jms.Connection;
import javax.jms.IllegalStateException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.TransactionRolledBackException;
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;

/**
 * Sends, moves and consumes while masters are killed: {@code Takeover URL}, where the URL begins with {@code failover:}.
 *
 * <p>One thread sends numbered messages to a queue, one moves them in transactions to another queue, one consumes them there. {@code sent N}
 * is printed for every hundredth send that was confirmed. The end of the input ends the sending; what was sent must then arrive. The last
 * line is the account; the exit code is 0 if nothing is missing, nothing came twice without saying so, and no exception came but those
 * that JMS documents for the case.
 */
public final class Takeover {
    private static final int BATCH = 10;
    /** Milliseconds without any arrival after which what is missing is taken for lost. */
    private static final long PATIENCE = 30_000;

    private final ActiveMQConnectionFactory factory;
    private final Queue from = new ActiveMQQueue("takeover.from." + System.nanoTime());
    private final Queue to = new ActiveMQQueue("takeover.to." + System.nanoTime());
    private final Set<String> arrived = ConcurrentHashMap.newKeySet();
    private final AtomicInteger redelivered = new AtomicInteger();
    private final AtomicInteger rolledBack = new AtomicInteger();
    private final List<String> faults = new CopyOnWriteArrayList<>();
    private volatile boolean sending = true;
    private volatile boolean running = true;
    private volatile int sent;
    /** Nanoseconds between two confirmations, at most. */
    private volatile long gap;

    private Takeover(String url) {
        factory = new ActiveMQConnectionFactory(url);
        factory.getRedeliveryPolicy().setInitialRedeliveryDelay(0);
        factory.getRedeliveryPolicy().setMaximumRedeliveries(-1);
    }

    public static void main(String[] arguments) throws Exception {
        Takeover takeover = new Takeover(arguments[0]);
        Thread sender = takeover.spawn("sender", takeover::send);
        takeover.spawn("mover", takeover::move);
        takeover.spawn("consumer", takeover::consume);
        while (System.in.read() >= 0) {
            // Only its end says something.
        }
        takeover.sending = false;
        sender.join();
        takeover.awaitArrivals();
        System.exit(takeover.account() ? 0 : 1);
    }

    private void send(Session session) throws JMSException {
        MessageProducer producer = session.createProducer(from);
        long last = System.nanoTime();
        while (sending) {
            producer.send(session.createTextMessage("number " + sent));
            sent++;
            long now = System.nanoTime();
            gap = Math.max(gap, now - last);
            last = now;
            if (sent % 100 == 0) {
                System.out.println("sent " + sent);
            }
        }
    }

    private void move(Session ignored) throws JMSException {
        Session session = connect().createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer consumer = session.createConsumer(from);
        MessageProducer producer = session.createProducer(to);
        while (running) {
            try {
                int moved = 0;
                Message message;
                while (moved < BATCH && (message = consumer.receive(200)) != null) {
                    producer.send(session.createTextMessage(Messages.text(message)));
                    moved++;
                }
                session.commit();
            } catch (TransactionRolledBackException | IllegalStateException documented) {
                rolledBack.incrementAndGet();
                session.rollback();
            }
        }
    }

    private void consume(Session session) throws JMSException {
        MessageConsumer consumer = session.createConsumer(to);
        while (running) {
            Message message = consumer.receive(200);
            if (message == null) {
                continue;
            }
            String text = Messages.text(message);
            if (arrived.add(text)) {
                continue;
            }
            if (message.getJMSRedelivered()) {
                redelivered.incrementAndGet();
            } else {
                faults.add("came twice and did not say so: " + text);
            }
        }
    }

    private void awaitArrivals() throws InterruptedException {
        long end = System.currentTimeMillis() + PATIENCE;
        for (int before = 0; arrived.size() < sent && System.currentTimeMillis() < end; before = arrived.size()) {
            if (arrived.size() > before) {
                end = System.currentTimeMillis() + PATIENCE;
            }
            Thread.sleep(20);
        }
        running = false;
    }

    private boolean account() {
        faults.forEach(System.out::println);
        int missing = sent - arrived.size();
        System.out.println(sent + " sent, " + missing + " missing, " + redelivered + " redelivered, " + rolledBack + " rolled back, "
                + faults.size() + " faults, longest gap " + TimeUnit.NANOSECONDS.toMillis(gap) + " ms");
        return sent > 0 && missing == 0 && faults.isEmpty();
    }

    @FunctionalInterface
    private interface Work {
        void run(Session session) throws JMSException;
    }

    /** Gives the work a session of its own; an exception that it lets through is one that the application sees. */
    private Thread spawn(String name, Work work) {
        Thread thread = new Thread(() -> {
            try {
                work.run(connect().createSession(false, Session.AUTO_ACKNOWLEDGE));
            } catch (JMSException seen) {
                faults.add(name + ": " + seen);
            }
        }, name);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    private Connection connect() throws JMSException {
        Connection connection = factory.createConnection();
        connection.setExceptionListener(seen -> faults.add("exception listener: " + seen));
        connection.start();
        return connection;
    }
}
