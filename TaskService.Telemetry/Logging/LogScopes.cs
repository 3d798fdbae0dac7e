using TaskService.Telemetry.Operations;
namespace TaskService.Telemetry.Logging;

/// <summary>
/// Log scopes, for lines of libraries and users. The provider keeps them itself instead of taking those of the logger
/// factory, so that the scopes of ASP.NET Core are not kept, and a request has none unless code begins one. Their
/// <c>RequestId</c>, <c>RequestPath</c> and <c>ConnectionId</c> are redundant to <c>req_id</c> and <c>trace_id</c> of
/// each line.
/// </summary>
internal sealed class LogScopes
{
    /// <summary>The field of scopes that are texts: a list, the outermost first.</summary>
    public const string Texts = "Scope";

    private readonly AsyncLocal<Scope?> current = new();

    public IDisposable? Begin(object state)
    {
        if (state.GetType().Namespace?.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal) == true)
        {
            return null;
        }
        var scope = new Scope(this, state, current.Value);
        current.Value = scope;
        return scope;
    }

    /// <summary>Adds the values of all scopes; on a name conflict existing fields win, then inner scopes.</summary>
    public void CopyTo(FieldList fields)
    {
        List<FieldValue>? texts = null;
        for (var scope = current.Value; scope is not null; scope = scope.Outer)
        {
            try
            {
                if (Add(scope.State, fields) is { } text)
                {
                    (texts ??= []).Insert(0, text);
                }
            }
            catch (Exception)
            {
                // Such as a dictionary that changes concurrently: the line is written without this scope.
            }
        }
        if (texts is not null && !Has(fields, Texts))
        {
            fields.Append(Texts, FieldValue.FromList([.. texts]));
        }
    }

    /// <returns>The text of the scope; null when it only has values.</returns>
    private static string? Add(object state, FieldList fields)
    {
        if (state is not IEnumerable<KeyValuePair<string, object?>> values)
        {
            return state.ToString();
        }
        string? text = null;
        foreach (var (key, value) in values)
        {
            if (key == LogFields.OriginalFormat)
            {
                text = state.ToString();
            }
            else if (fields.Count < FieldList.ItemsMax && !Has(fields, key))
            {
                fields.Append(key, ChannelLogger.ValueOf(value));
            }
        }
        return text;
    }

    private static bool Has(FieldList fields, string key)
    {
        foreach (var field in fields.Items)
        {
            if (field.Key == key)
            {
                return true;
            }
        }
        return false;
    }

    private sealed class Scope(LogScopes scopes, object state, Scope? outer) : IDisposable
    {
        public object State => state;

        public Scope? Outer => outer;

        public void Dispose() => scopes.current.Value = outer;
    }
}
