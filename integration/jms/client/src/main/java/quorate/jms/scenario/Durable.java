package quorate.jms.scenario;

import javax.jms.Connection;
import javax.jms.InvalidClientIDException;
import javax.jms.InvalidDestinationException;
import javax.jms.JMSException;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import javax.jms.Topic;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** A durable subscription keeps what is published while its subscriber is away. */
public final class Durable {
    private static final String NAME = "subscription";

    private Durable() {}

    public static void keepsWhileAway(Client client) throws Exception {
        Connection connection = client.connectAs(client.name("id"));
        subscribe(connection, client.topic("topic"));
        connection.close();
        String[] texts = Messages.numbered(50);
        Messages.send(client.session("jms.useAsyncSend=true"), client.topic("topic"), texts);

        Connection again = client.connectAs(client.name("id"));
        MessageConsumer subscriber = subscribe(again, client.topic("topic"));
        Messages.expect(subscriber, texts);
        again.close();
        Messages.expectNone(subscribe(client.connectAs(client.name("id")), client.topic("topic")));
    }

    public static void notAcknowledgedComesAgain(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"));
        Session session = connection.createSession(false, Session.CLIENT_ACKNOWLEDGE);
        MessageConsumer subscriber = session.createDurableSubscriber(topic, NAME);
        Messages.send(client.session(), topic, "one", "two");
        Messages.receive(subscriber).acknowledge();
        Messages.expect(subscriber, "two");
        connection.close();
        MessageConsumer again = subscribe(client.connectAs(client.name("id")), topic);
        Message message = Messages.receive(again);
        Expect.equal("two", Messages.text(message), "the text");
        Expect.equal(true, message.getJMSRedelivered(), "redelivered");
        Messages.expectNone(again);
    }

    public static void transacted(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"), "jms.redeliveryPolicy.initialRedeliveryDelay=0");
        Session session = connection.createSession(true, Session.SESSION_TRANSACTED);
        MessageConsumer subscriber = session.createDurableSubscriber(topic, NAME);
        Messages.send(client.session(), topic, "one", "two");
        Messages.expect(subscriber, "one", "two");
        session.rollback();
        Messages.expect(subscriber, "one");
        session.commit();
        connection.close();
        Messages.expect(subscribe(client.connectAs(client.name("id")), topic), "two");
    }

    public static void selector(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"));
        selecting(connection, topic, "colour = 'red'");
        connection.close();
        Session session = client.session();
        Messages.sendWith(session, topic, "colour", "blue", "sky");
        Messages.sendWith(session, topic, "colour", "red", "rose");
        MessageConsumer subscriber = selecting(client.connectAs(client.name("id")), topic, "colour = 'red'");
        Messages.expect(subscriber, "rose");
        Messages.expectNone(subscriber);
    }

    public static void anotherSelectorMakesItAnew(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"));
        selecting(connection, topic, "colour = 'red'");
        connection.close();
        Session session = client.session();
        Messages.sendWith(session, topic, "colour", "red", "rose");
        MessageConsumer subscriber = selecting(client.connectAs(client.name("id")), topic, "colour = 'blue'");
        Messages.sendWith(session, topic, "colour", "red", "another rose");
        Messages.sendWith(session, topic, "colour", "blue", "sky");
        Messages.expect(subscriber, "sky");
        Messages.expectNone(subscriber);
    }

    public static void anotherTopicMakesItAnew(Client client) throws Exception {
        Connection connection = client.connectAs(client.name("id"));
        subscribe(connection, client.topic("one"));
        connection.close();
        Session session = client.session();
        Messages.send(session, client.topic("one"), "of the first");
        MessageConsumer subscriber = subscribe(client.connectAs(client.name("id")), client.topic("two"));
        Messages.send(session, client.topic("two"), "of the second");
        Messages.expect(subscriber, "of the second");
        Messages.expectNone(subscriber);
    }

    public static void noLocal(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"));
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer subscriber = session.createDurableSubscriber(topic, NAME, null, true);
        Messages.send(session, topic, "own");
        Messages.send(client.session(), topic, "foreign");
        Messages.expect(subscriber, "foreign");
        Messages.expectNone(subscriber);
    }

    public static void wildcard(Client client) throws Exception {
        Connection connection = client.connectAs(client.name("id"));
        subscribe(connection, client.topic("price.>"));
        connection.close();
        Session session = client.session();
        Messages.send(session, client.topic("price.tin"), "tin");
        Messages.send(session, client.topic("price.lead"), "lead");
        Messages.expect(subscribe(client.connectAs(client.name("id")), client.topic("price.>")), "tin", "lead");
    }

    public static void severalOfOneClient(Client client) throws Exception {
        Session session = client.connectAs(client.name("id")).createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer one = session.createDurableSubscriber(client.topic("topic"), "one");
        MessageConsumer two = session.createDurableSubscriber(client.topic("topic"), "two");
        Messages.send(session, client.topic("topic"), "to both");
        Messages.expect(one, "to both");
        Messages.expect(two, "to both");
    }

    public static void unsubscribed(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connectAs(client.name("id"));
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        session.createDurableSubscriber(topic, NAME).close();
        Messages.send(session, topic, "kept in vain");
        session.unsubscribe(NAME);
        Messages.expectNone(session.createDurableSubscriber(topic, NAME));
    }

    public static void unsubscribingAnActiveOneFails(Client client) throws Exception {
        Session session = client.connectAs(client.name("id")).createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer subscriber = session.createDurableSubscriber(client.topic("topic"), NAME);
        Expect.failure(JMSException.class, () -> session.unsubscribe(NAME));
        Messages.send(session, client.topic("topic"), "goes on");
        Messages.expect(subscriber, "goes on");
    }

    public static void unsubscribingAnUnknownOneFails(Client client) throws Exception {
        Session session = client.connectAs(client.name("id")).createSession(false, Session.AUTO_ACKNOWLEDGE);
        Expect.failure(InvalidDestinationException.class, () -> session.unsubscribe("never heard of"));
    }

    public static void secondActiveSubscriberFails(Client client) throws Exception {
        Session session = client.connectAs(client.name("id")).createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer subscriber = session.createDurableSubscriber(client.topic("topic"), NAME);
        Expect.failure(JMSException.class, () -> session.createDurableSubscriber(client.topic("topic"), NAME));
        Messages.send(session, client.topic("topic"), "goes on");
        Messages.expect(subscriber, "goes on");
    }

    public static void clientIdConflict(Client client) throws Exception {
        Connection first = client.connectAs(client.name("id"));
        Expect.failure(InvalidClientIDException.class, () -> client.connectAs(client.name("id")));
        Messages.expectNone(first.createSession(false, Session.AUTO_ACKNOWLEDGE).createConsumer(client.queue("queue")));
        first.close();
        client.connectAs(client.name("id"));
    }

    private static MessageConsumer subscribe(Connection connection, Topic topic) throws JMSException {
        return connection.createSession(false, Session.AUTO_ACKNOWLEDGE).createDurableSubscriber(topic, NAME);
    }

    private static MessageConsumer selecting(Connection connection, Topic topic, String selector) throws JMSException {
        return connection.createSession(false, Session.AUTO_ACKNOWLEDGE).createDurableSubscriber(topic, NAME, selector, false);
    }
}
