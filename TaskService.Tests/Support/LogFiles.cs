namespace TaskService.Tests.Support;

/// <summary>A service's log in files of three formats, to be read when it has been written.</summary>
/// <param name="level">Of the service's logger, and of the files that have all of it.</param>
internal sealed class LogFiles(string level = "debug") : IDisposable
{
    private readonly TemporaryDirectory directory = new();

    /// <summary>The <c>logging</c> section: all of it into each file.</summary>
    public string Yaml => $$"""
        logging:
          formatters:
            audit: { format: logfmt, fields: [time, req_id, method, uri, status, nothing] }
          handlers:
            brief: { type: file, path: '{{directory.File("brief")}}', level: info, format: brief }
            logfmt: { type: file, path: '{{directory.File("logfmt")}}', level: {{level}}, format: logfmt }
            json: { type: file, path: '{{directory.File("json")}}', level: {{level}}, format: json }
            audit: { type: file, path: '{{directory.File("audit")}}', level: info, format: audit }
          loggers:
            taskservice: { level: {{level}}, handlers: [brief, logfmt, json, audit], propagate: false }
            Microsoft: { level: warning, handlers: [logfmt] }
          root: { level: warning, handlers: [brief] }
        """;

    /// <summary>Waits until so many lines are there.</summary>
    public async Task<string[]> LinesAsync(string file, int count)
    {
        var lines = await Until.ResultAsync(
            () => Read(file) is var found && found.Length >= count ? found : null, $"{count} lines in {file}");
        Assert.True(lines.Length == count, $"more than {count} lines in {file}:\n{string.Join('\n', lines)}");
        return lines;
    }

    /// <summary>Whole lines, split only at the newline: nothing else ends one.</summary>
    public string[] Read(string file) => WholeLines(directory.File(file));

    /// <summary>The whole lines that a file has by now; none when it is not there.</summary>
    public static string[] WholeLines(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var reader = new StreamReader(stream);
        var text = reader.ReadToEnd();
        return text[..(text.LastIndexOf('\n') + 1)].Split('\n')[..^1];
    }

    public void Dispose()
    {
        TestLog.Show("the log", Read("logfmt"));
        directory.Dispose();
    }
}
