using Microsoft.Extensions.Logging;
using TaskService.Configuration;
using TaskService.Hosting;
using TaskService.Tests.Support;

namespace TaskService.Tests.Configuration;

/// <summary>The tutorial's own configuration: each line that it must change is said with what to write.</summary>
public sealed class FormerNameTests
{
    private const string Tutorial = """
        service:
          name: TodoList

        task-db:
          sql: /tmp/tasks.db

        logging:
          version: 1
          formatters:
            brief:
              format: '%(asctime)s %(name)s %(levelname)s : %(message)s'
            detailed:
              format: 'time="%(asctime)s" logger="%(name)s" level="%(levelname)s" %(message)s'
          handlers:
            console:
              class: logging.StreamHandler
              level: INFO
              formatter: brief
              stream: ext://sys.stdout
            file:
              class : logging.handlers.RotatingFileHandler
              level: DEBUG
              formatter: detailed
              filename: /tmp/taskservice-app.log
              backupCount: 3
          loggers:
            taskservice:
              level: DEBUG
              handlers:
                - console
                - file
              propagate: no
            tornado.access:
              level: DEBUG
              handlers:
                - file
          root:
            level: WARNING
            handlers:
              - console
        """;

    // What somebody writes who does what the lines say.
    private static readonly (string Written, string Line, string Mended)[] Mistakes =
    [
        ("format: '%(asctime)s %(name)s %(levelname)s : %(message)s'",
            "11: logging.formatters.brief.format: has no patterns here: choose brief, logfmt or json, and with "
            + "\"fields: [a, b]\" some of the fields", "format: brief"),
        ("format: 'time=\"%(asctime)s\" logger=\"%(name)s\" level=\"%(levelname)s\" %(message)s'",
            "13: logging.formatters.detailed.format: has no patterns here: choose brief, logfmt or json, and with "
            + "\"fields: [a, b]\" some of the fields", "format: logfmt"),
        ("version: 1",
            "8: logging.version: must be left out: it is a key of Python's dictConfig, which has one value", ""),
        ("class: logging.StreamHandler", "16: logging.handlers.console.class: is \"type: console\" here",
            "type: console"),
        ("formatter: brief", "18: logging.handlers.console.formatter: is \"format\" here", "format: brief"),
        ("stream: ext://sys.stdout",
            "19: logging.handlers.console.stream: must be left out: a console writes to standard output", ""),
        ("class : logging.handlers.RotatingFileHandler", "21: logging.handlers.file.class: is \"type: file\" here",
            "type: file"),
        ("formatter: detailed", "23: logging.handlers.file.formatter: is \"format\" here", "format: detailed"),
        ("filename: ", "24: logging.handlers.file.filename: is \"path\" here", "path: "),
        ("backupCount: 3", "25: logging.handlers.file.backupCount: is \"backup-count\" here", "backup-count: 3"),
        ("sql: ", "5: task-db.sql: is \"sqlite\" here, with the name of the file", "sqlite: "),
    ];

    [Fact]
    public async Task The_tutorials_file_has_one_line_for_each_mistake_and_starts_when_they_are_mended()
    {
        var error = Assert.Throws<ConfigException>(() => Read(Tutorial));
        Assert.Equal(Mistakes.Select(mistake => $"c.yaml:{mistake.Line}"), error.Problems);

        using var directory = new TemporaryDirectory();
        var yaml = Mistakes.Aggregate(
            Tutorial, (text, mistake) => text.Replace(mistake.Written, mistake.Mended, StringComparison.Ordinal));
        var settings = Read(yaml.Replace("/tmp/", $"{directory.Path}/", StringComparison.Ordinal));
        Assert.Equal(LogLevel.Information, settings.Logging.Handlers["console"].Level);
        Assert.False(settings.Logging.Loggers["taskservice"].Propagate);
        await using (await TodoListHost.StartAsync(
            Quiet(settings), Program.Application(), CancellationToken.None))
        {
            Assert.True(Path.Exists(directory.File("tasks.db")));
        }
        var log = await File.ReadAllTextAsync(directory.File("taskservice-app.log"));
        Assert.Contains("STARTING", log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("handlers: { a: { maxBytes: 1 } }", "handlers.a.maxBytes: is \"max-bytes\" here")]
    [InlineData("handlers: { a: { class: logging.handlers.SysLogHandler } }",
        "handlers.a.class: is \"type\" here: console or file")]
    [InlineData("handlers: { a: { '()': my.Handler } }", "handlers.a.(): is \"type\" here: console or file")]
    [InlineData("handlers: { a: { encoding: utf-8 } }", "handlers.a.encoding: must be left out: lines of UTF-8 ")]
    [InlineData("handlers: { a: { filters: [f] } }", "handlers.a.filters: must be left out: handlers and loggers ")]
    [InlineData("handlers: { a: { level: NOTSET } }", "handlers.a.level: is \"trace\" here")]
    [InlineData("disable_existing_loggers: false", "disable_existing_loggers: must be left out: no logger is ever ")]
    [InlineData("formatters: { f: { '()': my.Formatter } }", "formatters.f.(): must be left out; \"format\" has no ")]
    [InlineData("formatters: { f: { datefmt: '%H' } }", "formatters.f.datefmt: must be left out: times are UTC, ")]
    [InlineData("formatters: { f: { style: '{' } }", "formatters.f.style: must be left out; \"format\" has no ")]
    [InlineData("formatters: { f: { format: text } }", "formatters.f.format: \"text\" is not known (allowed: ")]
    [InlineData("loggers: { a: { level: fatal } }", "loggers.a.level: is \"critical\" here")]
    [InlineData("loggers: { a: { filename: x } }", "loggers.a.filename: unknown key (")]
    public void A_key_of_dictConfig_has_the_name_or_form_that_is_known_here(string logging, string problem)
    {
        var error = Assert.Throws<ConfigException>(() => Read($"task-db: {{ memory: }}\nlogging: {{ {logging} }}"));
        Assert.StartsWith($"c.yaml:2: logging.{problem}", Assert.Single(error.Problems), StringComparison.Ordinal);
    }

    private static Settings Quiet(Settings settings) => settings with
    {
        Service = settings.Service with { Addresses = [new ListenAddress("127.0.0.1", 0)] },
        Logging = settings.Logging with
        {
            Handlers = settings.Logging.Handlers.ToDictionary(
                handler => handler.Key,
                handler => handler.Value.File is null ? handler.Value with { Level = LogLevel.None } : handler.Value),
        },
    };

    private static Settings Read(string yaml) => Settings.Read(
        "c.yaml", yaml, new Dictionary<string, string>(), new CommandLineOptions()).Settings;

    [Fact]
    public void A_key_of_an_earlier_version_is_said_with_its_new_name()
    {
        var error = Assert.Throws<ConfigException>(() => Settings.Read(
            "test.yaml",
            "task-db: { memory: }\ntelemetry:\n  outlets:\n    numbers: { gather-time-max-ms: 1 }\n"
                + "  exporters:\n    events: { type: json, gather-time-max-ms: 1 }",
            new Dictionary<string, string>(),
            new CommandLineOptions()));
        Assert.Equal(
            [
                "test.yaml:4: telemetry.outlets: is \"exporters\" here",
                "test.yaml:6: telemetry.exporters.events.gather-time-max-ms: is \"batch-delay-max-ms\" here",
            ],
            error.Problems);
    }
}
