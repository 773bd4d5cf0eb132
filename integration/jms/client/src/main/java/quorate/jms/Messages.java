package quorate.jms;

import java.util.ArrayList;
import java.util.List;
import javax.jms.Destination;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Session;
import javax.jms.TextMessage;

/** Sending and receiving, in one line each. */
public final class Messages {
    /** Milliseconds that what must come may take. */
    public static final long PATIENCE = 20_000;
    /** Milliseconds after which what has not come is taken for what does not come. */
    public static final long SILENCE = 400;

    private Messages() {}

    /** Sends texts as the session's producer would by default: persistent, priority 4, without end. */
    public static void send(Session session, Destination destination, String... texts) throws JMSException {
        MessageProducer producer = session.createProducer(destination);
        for (String text : texts) {
            producer.send(session.createTextMessage(text));
        }
        producer.close();
    }

    /** Sends one text with one string property. */
    public static void sendWith(Session session, Destination destination, String property, String value, String text) throws JMSException {
        MessageProducer producer = session.createProducer(destination);
        Message message = session.createTextMessage(text);
        message.setStringProperty(property, value);
        producer.send(message);
        producer.close();
    }

    /** Sends to a temporary destination of another connection, as soon as the client has heard that there is one. */
    public static void sendOnceKnown(Session session, Destination destination, String text) throws JMSException {
        long end = System.currentTimeMillis() + PATIENCE;
        while (true) {
            try {
                send(session, destination, text);
                return;
            } catch (InvalidDestinationException unknown) {
                Expect.that(System.currentTimeMillis() < end, "the client hears of the destination");
                Thread.onSpinWait();
            }
        }
    }

    /** The next message, which must come. */
    public static Message receive(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(PATIENCE);
        Expect.that(message != null, "a message comes");
        return message;
    }

    /** The text of the next message, which must come. */
    public static String text(MessageConsumer consumer) throws JMSException {
        return text(receive(consumer));
    }

    public static String text(Message message) throws JMSException {
        return ((TextMessage) message).getText();
    }

    /** The texts of the next messages, so many, which must come. */
    public static List<String> texts(MessageConsumer consumer, int count) throws JMSException {
        List<String> texts = new ArrayList<>();
        while (texts.size() < count) {
            texts.add(text(consumer));
        }
        return texts;
    }

    /** Receives these texts, in this order. */
    public static void expect(MessageConsumer consumer, String... texts) throws JMSException {
        for (String text : texts) {
            Expect.equal(text, text(consumer), "the text");
        }
    }

    /** No message comes. */
    public static void expectNone(MessageConsumer consumer) throws JMSException {
        Message message = consumer.receive(SILENCE);
        Expect.that(message == null, "no message comes, but this: " + message);
    }

    /** How often the broker says it has given out a message, this time included. */
    public static int deliveries(Message message) throws JMSException {
        return message.getIntProperty("JMSXDeliveryCount");
    }

    /** So many texts, each different. */
    public static String[] numbered(int count) {
        String[] texts = new String[count];
        for (int number = 0; number < count; number++) {
            texts[number] = "number " + number;
        }
        return texts;
    }
}
