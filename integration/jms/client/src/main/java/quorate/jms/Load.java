package quorate.jms;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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
import org.apache.activemq.ActiveMQConnectionFactory;
import org.apache.activemq.command.ActiveMQQueue;

/**
 * Load on a queue: {@code Load URL [KEY=VALUE]..}.
 *
 * <p>Keys and their defaults: {@code producers=1}, {@code consumers=1}, {@code size=1024} (bytes of a body), {@code persistent=true},
 * {@code seconds=10}. Each producer and each consumer has a connection and a thread. Prints one line: messages received in a second, and of
 * the time from send to receipt the median and the 99th percentile, in milliseconds. A second before the measured ones warms up. Options
 * of the client go into the URL, as in {@code tcp://host:61616?jms.useAsyncSend=true}.
 */
public final class Load {
    private static final String SENT = "sent";
    private static final long WARMING = TimeUnit.SECONDS.toNanos(1);

    private final ActiveMQConnectionFactory factory;
    private final Map<String, String> settings = new TreeMap<>(
            Map.of("producers", "1", "consumers", "1", "size", "1024", "persistent", "true", "seconds", "10"));
    private final Queue queue = new ActiveMQQueue("load." + System.nanoTime());
    private final CountDownLatch ready;
    private volatile long start;
    private volatile long end;

    private Load(String[] arguments) {
        factory = new ActiveMQConnectionFactory(arguments[0]);
        for (String argument : Arrays.asList(arguments).subList(1, arguments.length)) {
            String[] setting = argument.split("=", 2);
            if (setting.length != 2 || settings.replace(setting[0], setting[1]) == null) {
                throw new IllegalArgumentException(argument + ": no setting; there are " + settings.keySet());
            }
        }
        ready = new CountDownLatch(number("producers") + number("consumers"));
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println(new Load(arguments).run());
        System.exit(0);
    }

    private String run() throws Exception {
        List<Consumer> consumers = new ArrayList<>();
        for (int count = number("consumers"); count > 0; count--) {
            consumers.add(new Consumer());
        }
        List<Thread> threads = new ArrayList<>(consumers);
        for (int count = number("producers"); count > 0; count--) {
            threads.add(new Thread(this::produce));
        }
        start = Long.MAX_VALUE;
        end = Long.MAX_VALUE;
        threads.forEach(Thread::start);
        ready.await();
        start = System.nanoTime() + WARMING;
        end = start + TimeUnit.SECONDS.toNanos(number("seconds"));
        for (Thread thread : threads) {
            thread.join();
        }
        int[] latencies = consumers.stream().flatMapToInt(consumer -> Arrays.stream(consumer.latencies, 0, consumer.count)).sorted().toArray();
        if (latencies.length == 0) {
            return "0 messages/s";
        }
        return String.format("%d messages/s, p50 %.2f ms, p99 %.2f ms, %s", latencies.length / number("seconds"),
                latencies[latencies.length / 2] / 1000.0, latencies[(int) (latencies.length * 0.99)] / 1000.0, settings);
    }

    private void produce() {
        try {
            Connection connection = factory.createConnection();
            Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
            MessageProducer producer = session.createProducer(queue);
            boolean persistent = Boolean.parseBoolean(settings.get("persistent"));
            producer.setDeliveryMode(persistent ? DeliveryMode.PERSISTENT : DeliveryMode.NON_PERSISTENT);
            byte[] body = new byte[number("size")];
            ready.countDown();
            while (System.nanoTime() < end) {
                BytesMessage message = session.createBytesMessage();
                message.writeBytes(body);
                message.setLongProperty(SENT, System.nanoTime());
                producer.send(message);
            }
            connection.close();
        } catch (Exception failure) {
            throw new IllegalStateException(failure);
        }
    }

    private int number(String setting) {
        return Integer.parseInt(settings.get(setting));
    }

    private final class Consumer extends Thread {
        /** Microseconds, {@link #count} of them. */
        private int[] latencies = new int[1 << 16];
        private int count;

        @Override
        public void run() {
            try {
                Connection connection = factory.createConnection();
                MessageConsumer consumer = connection.createSession(false, Session.AUTO_ACKNOWLEDGE).createConsumer(queue);
                connection.start();
                ready.countDown();
                while (System.nanoTime() < end) {
                    Message message = consumer.receive(100);
                    long now = System.nanoTime();
                    if (message != null && now >= start && now < end) {
                        add((int) Math.min(Integer.MAX_VALUE, (now - message.getLongProperty(SENT)) / 1000));
                    }
                }
                connection.close();
            } catch (Exception failure) {
                throw new IllegalStateException(failure);
            }
        }

        private void add(int latency) {
            if (count == latencies.length) {
                latencies = Arrays.copyOf(latencies, 2 * count);
            }
            latencies[count++] = latency;
        }
    }
}
