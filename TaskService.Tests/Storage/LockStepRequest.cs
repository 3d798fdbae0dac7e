using System.Globalization;
using System.IO.Compression;
using System.Text;
using TaskService.Domain;

namespace TaskService.Tests.Storage;

/// <summary>
/// A request of a sequence that several engines get. Tasks are named by the number of the request that made them, since
/// each engine makes ids of its own; so a sequence stays one when requests are left out of it.
/// </summary>
internal sealed record LockStepRequest(int Number, string Method, string Path)
{
    /// <summary>Not a request: what is durable is stopped and started.</summary>
    public const string Restart = "RESTART";

    /// <summary>Stands in <see cref="Path"/> for the id of <see cref="Of"/>.</summary>
    public const string Id = "{id}";

    private const int ShownCharactersMax = 160;

    /// <summary>The request that made the task; null when it is about none that was ever there.</summary>
    public int? Of { get; init; }

    /// <summary>Whether the path has that id with nothing more to it.</summary>
    public bool IsExact => Path.TrimEnd('/') == $"/tasks/{Id}";

    /// <summary>Whether the path is one that the service has, in ids that it never gave as well.</summary>
    public bool IsKnown { get; init; } = true;

    public bool IsList => Path.TrimEnd('/') == "/tasks";

    public IReadOnlyList<LockStepParameter> Query { get; init; } = [];

    public LockStepBody? Body { get; init; }

    public bool IsGzip { get; init; }

    public string? ContentType { get; init; }

    /// <summary>The header as it is sent.</summary>
    public string? Key { get; init; }

    public IReadOnlyList<LockStepCondition> Conditions { get; init; } = [];

    public string? Accept { get; init; }

    public string? AcceptEncoding { get; init; }

    /// <param name="idOf">The id of a task by the number of the request that made it.</param>
    /// <param name="tagOf">What a list was tagged with, by the number of the request that read it.</param>
    public HttpRequestMessage ToHttp(Func<int, string> idOf, Func<int, string> tagOf)
    {
        var query = string.Join('&', Query.Select(item => item.ToQuery(idOf)));
        var path = Of is { } of ? Path.Replace(Id, idOf(of), StringComparison.Ordinal) : Path;
        var target = query.Length == 0 ? path : $"{path}?{query}";
        var request = new HttpRequestMessage(new HttpMethod(Method), new Uri(target, UriKind.Relative));
        if (Body is not null)
        {
            var bytes = Encoding.UTF8.GetBytes(Body.Text);
            request.Content = new ByteArrayContent(IsGzip ? Gzip(bytes) : bytes);
            Add(request.Content.Headers.TryAddWithoutValidation, "Content-Type", ContentType);
            Add(request.Content.Headers.TryAddWithoutValidation, "Content-Encoding", IsGzip ? "gzip" : null);
        }
        Add(request.Headers.TryAddWithoutValidation, "X-Request-ID", $"request-{Number}");
        Add(request.Headers.TryAddWithoutValidation, "Idempotency-Key", Key);
        Add(request.Headers.TryAddWithoutValidation, "Accept", Accept);
        Add(request.Headers.TryAddWithoutValidation, "Accept-Encoding", AcceptEncoding);
        foreach (var condition in Conditions)
        {
            Add(request.Headers.TryAddWithoutValidation, condition.Header, condition.ToHeader(tagOf));
        }
        return request;
    }

    /// <summary>One line, if its body is.</summary>
    public override string ToString()
    {
        if (Method == Restart)
        {
            return Restart;
        }
        var query = string.Join('&', Query.Select(item => item.ToQuery(of => $"<{of}>")));
        string?[] parts =
        [
            $"{Number}:", Method, Of is { } of ? Path.Replace(Id, $"<{of}>", StringComparison.Ordinal) : Path,
            query.Length == 0 ? null : $"?{query}", Body is null ? null : Short(Body.Text), IsGzip ? "gzip" : null,
            ContentType, Key is null ? null : $"Idempotency-Key: {Short(Key)}",
            .. Conditions.Select(item => $"{item.Header}: {item.ToHeader(list => $"\"<tag of {list}>\"")}"),
            Accept is null ? null : $"Accept: {Accept}",
            AcceptEncoding is null ? null : $"Accept-Encoding: {AcceptEncoding}",
        ];
        return string.Join(' ', parts.Where(part => part is not null));
    }

    public static string Short(string text) => text.Length <= ShownCharactersMax
        ? text
        : string.Create(CultureInfo.InvariantCulture, $"{text[..ShownCharactersMax]}… ({text.Length} characters)");

    private static void Add(Func<string, string, bool> add, string name, string? value)
    {
        if (value is not null)
        {
            Assert.True(add(name, value), $"{name} cannot be {value}");
        }
    }

    private static byte[] Gzip(byte[] plain)
    {
        using var coded = new MemoryStream();
        using (var gzip = new GZipStream(coded, CompressionLevel.Fastest))
        {
            gzip.Write(plain);
        }
        return coded.ToArray();
    }
}

/// <summary>A body, and what it means.</summary>
/// <param name="Text">JSON, or what is none.</param>
/// <param name="Change">What it makes of a task; null when it is to be refused.</param>
internal sealed record LockStepBody(string Text, Func<TaskEntry, TaskEntry>? Change)
{
    public int Status { get; init; } = 400;
}

/// <summary>A parameter of a list.</summary>
/// <param name="IsRight">Whether the value is one that the parameter can have.</param>
/// <param name="Of">It is the id of the task that this request made.</param>
internal sealed record LockStepParameter(string Name, string Value, bool IsRight = true, int? Of = null)
{
    public string ToQuery(Func<int, string> idOf) =>
        $"{Name}={(Of is { } of ? idOf(of) : Uri.EscapeDataString(Value))}";
}

internal enum LockStepForm
{
    Strong,
    Weak,
    Listed,
    Coded,
    Any,
    Nonsense,
}

/// <summary>A condition on a version.</summary>
/// <param name="Header">If-Match or If-None-Match.</param>
/// <param name="Tag">Of a task, without quotes.</param>
/// <param name="OfList">It is the tag that a list had in the answer to this request.</param>
internal sealed record LockStepCondition(string Header, LockStepForm Form, string Tag, int? OfList = null)
{
    public bool IsMatch => Header == "If-Match";

    public string ToHeader(Func<int, string> tagOf)
    {
        var tag = OfList is { } list ? tagOf(list) : $"\"{Tag}\"";
        return Form switch
        {
            LockStepForm.Weak => $"W/{tag}",
            LockStepForm.Listed => $"\"x\", {tag}",
            LockStepForm.Coded => $"{tag[..^1]}-gzip\"",
            LockStepForm.Any => "*",
            LockStepForm.Nonsense => "nonsense",
            _ => tag,
        };
    }

    /// <inheritdoc cref="Names" path="/param"/>
    public bool AllowsChange(bool isSame) => Form != LockStepForm.Nonsense && Names(isSame) == IsMatch;

    /// <param name="isSame">Whether the tag is that of what is there.</param>
    public bool Names(bool isSame) => Form switch
    {
        LockStepForm.Any => true,
        LockStepForm.Nonsense => false,
        // If-Match compares strongly.
        LockStepForm.Weak => !IsMatch && isSame,
        _ => isSame,
    };
}
