package quorate.jms.scenario;

import java.util.Map;
import javax.jms.DeliveryMode;
import javax.jms.InvalidSelectorException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** A consumer with a selector gets what matches and leaves the rest to others. */
public final class Selectors {
    /** What the message of {@link #grammar} has. */
    private static final Map<String, Object> PROPERTIES = Map.ofEntries(
            Map.entry("colour", "dark blue"),
            Map.entry("count", 3),
            Map.entry("weight", 2.5),
            Map.entry("total", 10_000_000_000L),
            Map.entry("share", 0.25f),
            Map.entry("small", (short) 7),
            Map.entry("tiny", (byte) -1),
            Map.entry("sold", true),
            Map.entry("percent", "50%"));
    private static final String[] MATCHING = {
        "colour = 'dark blue'",
        "colour <> 'red'",
        "colour LIKE 'dark%'",
        "colour LIKE 'dark_blue'",
        "colour NOT LIKE 'blue%'",
        "percent LIKE '50!%' ESCAPE '!'",
        "colour IN ('red', 'dark blue')",
        "colour NOT IN ('red', 'green')",
        "count BETWEEN 1 AND 3",
        "count NOT BETWEEN 4 AND 9",
        "count + 1 = 8 / 2",
        "count * weight > 7.4",
        "-count < 0 AND NOT (count > 3)",
        "total = 10000000000",
        "share = 0.25",
        "weight = 2.5E0",
        "small >= 7 AND tiny = -1",
        "sold",
        "sold = TRUE",
        "missing IS NULL AND count IS NOT NULL",
        "missing = 1 OR count = 3",
        "JMSType = 'article'",
        "JMSPriority > 5",
        "JMSCorrelationID = 'c''1'",
        "JMSDeliveryMode = 'PERSISTENT'",
        "JMSTimestamp > 0",
    };
    private static final String[] OTHER = {
        "colour = 'blue'",
        "colour > 3",
        "count = '3'",
        "missing = 1",
        "NOT (missing = 1)",
        "missing <> 1",
        "NOT sold",
        "JMSType IS NULL",
        "JMSDeliveryMode = 'NON_PERSISTENT'",
    };
    private static final String[] INVALID = {"colour =", "= 3", "count BETWEEN 1", "colour LIKE 3", "(count = 3", "colour IN ()"};

    private Selectors() {}

    public static void grammar(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        MessageProducer producer = session.createProducer(queue);
        producer.setPriority(8);
        for (String selector : MATCHING) {
            Message message = session.createMessage();
            for (Map.Entry<String, Object> property : PROPERTIES.entrySet()) {
                message.setObjectProperty(property.getKey(), property.getValue());
            }
            message.setJMSType("article");
            message.setJMSCorrelationID("c'1");
            producer.send(message);
            MessageConsumer consumer = session.createConsumer(queue, selector);
            Expect.that(consumer.receive(Messages.PATIENCE) != null, selector + " matches");
            consumer.close();
        }
        Message message = session.createMessage();
        for (Map.Entry<String, Object> property : PROPERTIES.entrySet()) {
            message.setObjectProperty(property.getKey(), property.getValue());
        }
        message.setJMSType("article");
        producer.send(message);
        MessageConsumer[] consumers = new MessageConsumer[OTHER.length];
        for (int number = 0; number < OTHER.length; number++) {
            consumers[number] = session.createConsumer(queue, OTHER[number]);
        }
        Thread.sleep(Messages.SILENCE);
        for (int number = 0; number < OTHER.length; number++) {
            Expect.that(consumers[number].receiveNoWait() == null, OTHER[number] + " does not match");
        }
    }

    public static void othersGetTheRest(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        MessageConsumer red = session.createConsumer(queue, "colour = 'red'");
        Messages.sendWith(session, queue, "colour", "blue", "sky");
        Messages.sendWith(session, queue, "colour", "red", "rose");
        Messages.sendWith(session, queue, "colour", "blue", "sea");
        Messages.expect(red, "rose");
        Messages.expectNone(red);
        MessageConsumer blue = session.createConsumer(queue, "colour = 'blue'");
        Messages.expect(blue, "sky", "sea");
    }

    public static void deliveryModeOfLightMessages(Client client) throws Exception {
        Queue queue = client.queue("queue");
        Session session = client.session();
        MessageProducer producer = session.createProducer(queue);
        producer.setDeliveryMode(DeliveryMode.NON_PERSISTENT);
        producer.send(session.createTextMessage("light"));
        Messages.expect(session.createConsumer(queue, "JMSDeliveryMode = 'NON_PERSISTENT'"), "light");
    }

    public static void selectorInTheDestination(Client client) throws Exception {
        Session session = client.session();
        Queue queue = client.queue("queue");
        Messages.sendWith(session, queue, "colour", "blue", "sky");
        Messages.sendWith(session, queue, "colour", "red", "rose");
        Messages.expect(session.createConsumer(queue, "colour = 'red'"), "rose");
        Messages.expect(session.createConsumer(queue, ""), "sky");
    }

    public static void invalidOnesAreRefused(Client client) throws Exception {
        Session session = client.session();
        for (String selector : INVALID) {
            Expect.failure(InvalidSelectorException.class, () -> session.createConsumer(client.queue("queue"), selector));
            Expect.failure(InvalidSelectorException.class, () -> session.createConsumer(client.topic("topic"), selector));
        }
        Messages.send(session, client.queue("queue"), "goes on");
        Messages.expect(session.createConsumer(client.queue("queue")), "goes on");
    }
}
