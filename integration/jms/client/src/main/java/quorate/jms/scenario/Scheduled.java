package quorate.jms.scenario;

import java.util.concurrent.TimeUnit;
import javax.jms.Message;
import javax.jms.MessageConsumer;
import javax.jms.MessageProducer;
import javax.jms.Queue;
import javax.jms.Session;
import javax.jms.Topic;
import org.apache.activemq.ScheduledMessage;
import org.apache.activemq.command.ActiveMQTopic;
import quorate.jms.Client;
import quorate.jms.Expect;
import quorate.jms.Messages;

/** Messages that come later, and again. */
public final class Scheduled {
    private static final Topic MANAGEMENT = new ActiveMQTopic(ScheduledMessage.AMQ_SCHEDULER_MANAGEMENT_DESTINATION);
    private static final String MARK = "scenario";
    private static final long HOUR = 3_600_000;

    private Scheduled() {}

    public static void delay(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer consumer = session.createConsumer(client.queue("queue"));
        long start = System.nanoTime();
        send(session, client.queue("queue"), "later", 1500, 0, 0);
        Messages.send(session, client.queue("queue"), "now");
        Messages.expect(consumer, "now");
        Message later = Messages.receive(consumer);
        long taken = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - start);
        Expect.equal("later", Messages.text(later), "the text");
        Expect.that(taken >= 1400, "the message comes after 1500 ms, not after " + taken);
        Expect.that(later.propertyExists(ScheduledMessage.AMQ_SCHEDULED_ID), "the message names its job");
        Messages.expectNone(consumer);
    }

    public static void repeat(Client client) throws Exception {
        Session session = client.session();
        MessageConsumer consumer = session.createConsumer(client.queue("queue"));
        send(session, client.queue("queue"), "again", 100, 200, 2);
        Messages.expect(consumer, "again", "again", "again");
        Messages.expectNone(consumer);
    }

    public static void transacted(Client client) throws Exception {
        Session session = client.transacted();
        MessageConsumer consumer = client.session().createConsumer(client.queue("queue"));
        send(session, client.queue("queue"), "never", 100, 0, 0);
        session.rollback();
        send(session, client.queue("queue"), "later", 100, 0, 0);
        Messages.expectNone(consumer);
        session.commit();
        Messages.expect(consumer, "later");
        Messages.expectNone(consumer);
    }

    public static void browsedAndRemoved(Client client) throws Exception {
        Session session = client.session();
        Queue queue = client.queue("queue");
        MessageConsumer consumer = session.createConsumer(queue);
        send(session, queue, "removed", HOUR, 0, 0);
        Message job = own(client, session);
        Expect.that(job != null, "the job is among those that are browsed");
        manage(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_REMOVE, job.getStringProperty(ScheduledMessage.AMQ_SCHEDULED_ID), null);
        for (long end = System.currentTimeMillis() + Messages.PATIENCE; own(client, session) != null; ) {
            Expect.that(System.currentTimeMillis() < end, "the job goes when it is removed");
        }
        Expect.equal(null, consumer.receiveNoWait(), "what comes of it");
    }

    /** The job of this scenario, if there is one. */
    private static Message own(Client client, Session session) throws Exception {
        Queue jobs = session.createTemporaryQueue();
        MessageConsumer consumer = session.createConsumer(jobs, MARK + " = '" + client.queue("queue").getQueueName() + "'");
        manage(session, ScheduledMessage.AMQ_SCHEDULER_ACTION_BROWSE, null, jobs);
        Message job = consumer.receive(Messages.SILENCE);
        consumer.close();
        return job;
    }

    private static void manage(Session session, String action, String job, Queue answers) throws Exception {
        Message request = session.createMessage();
        request.setStringProperty(ScheduledMessage.AMQ_SCHEDULER_ACTION, action);
        if (job != null) {
            request.setStringProperty(ScheduledMessage.AMQ_SCHEDULED_ID, job);
        }
        request.setJMSReplyTo(answers);
        session.createProducer(MANAGEMENT).send(request);
    }

    private static void send(Session session, Queue queue, String text, long delay, long period, int repeat) throws Exception {
        MessageProducer producer = session.createProducer(queue);
        Message message = session.createTextMessage(text);
        message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_DELAY, delay);
        if (repeat > 0) {
            message.setLongProperty(ScheduledMessage.AMQ_SCHEDULED_PERIOD, period);
            message.setIntProperty(ScheduledMessage.AMQ_SCHEDULED_REPEAT, repeat);
        }
        message.setStringProperty(MARK, queue.getQueueName());
        producer.send(message);
    }
}
