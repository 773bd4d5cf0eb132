package quorate.jms.scenario;

import javax.jms.Connection;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.command.ActiveMQTopic;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** What is published reaches everyone who listens then. */
public final class Topics {
    private Topics() {}

    public static void everySubscriberGetsItsCopy(Client client) throws Exception {
        Topic topic = client.topic("topic");
        MessageConsumer one = client.session().createConsumer(topic);
        MessageConsumer two = client.session().createConsumer(topic);
        String[] texts = Messages.numbered(100);
        Messages.send(client.session("jms.useAsyncSend=true"), topic, texts);
        Messages.expect(one, texts);
        Messages.expect(two, texts);
    }

    public static void earlierMessagesAreMissed(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Session session = client.session();
        Messages.send(session, topic, "unheard");
        MessageConsumer subscriber = session.createConsumer(topic);
        Messages.send(session, topic, "heard");
        Messages.expect(subscriber, "heard");
        Messages.expectNone(subscriber);
    }

    public static void noLocal(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Connection connection = client.connect();
        Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
        MessageConsumer byArgument = session.createConsumer(topic, null, true);
        MessageConsumer byOption = session.createConsumer(client.topic("topic", "consumer.noLocal=true"));
        MessageConsumer everything = session.createConsumer(topic);
        Messages.send(session, topic, "own");
        Messages.send(client.session(), topic, "foreign");
        Messages.expect(byArgument, "foreign");
        Messages.expect(byOption, "foreign");
        Messages.expect(everything, "own", "foreign");
    }

    public static void selector(Client client) throws Exception {
        Topic topic = client.topic("topic");
        Session session = client.session();
        MessageConsumer red = session.createConsumer(topic, "colour = 'red'");
        Messages.sendWith(session, topic, "colour", "blue", "sky");
        Messages.sendWith(session, topic, "colour", "red", "rose");
        Messages.expect(red, "rose");
        Messages.expectNone(red);
    }

    public static void wildcards(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer middle = session.createConsumer(client.topic("price.*.close"));
        MessageConsumer rest = session.createConsumer(client.topic("price.>"));
        Messages.send(session, client.topic("price.tin.close"), "tin closes");
        Messages.send(session, client.topic("price.tin.open"), "tin opens");
        Messages.send(session, client.topic("price.tin.close.late"), "too deep");
        Message closing = Messages.receive(middle);
        Expect.equal("tin closes", Messages.text(closing), "the text");
        Expect.equal(client.topic("price.tin.close"), closing.getJMSDestination(), "the destination");
        Messages.expect(rest, "tin closes", "tin opens", "too deep");
        Messages.expectNone(middle);
    }

    public static void compositeDestination(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer one = session.createConsumer(client.topic("one"));
        MessageConsumer two = session.createConsumer(client.topic("two"));
        Messages.send(session, new ActiveMQTopic(client.name("one") + "," + client.name("two")), "to both");
        Messages.expect(one, "to both");
        Messages.expect(two, "to both");
    }

    /** More than a subscriber with a prefetch of 10 holds; none is dropped while it is connected. */
    public static void slowSubscriberGetsEverything(Client client) throws Exception {
        MessageConsumer subscriber = client.session().createConsumer(client.topic("topic", "consumer.prefetchSize=10"));
        String[] texts = Messages.numbered(500);
        Messages.send(client.session("jms.useAsyncSend=true"), client.topic("topic"), texts);
        Messages.expect(subscriber, texts);
    }
}
